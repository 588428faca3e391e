"""What a server puts in force of what a restored farm says."""

from uuid import UUID

from corral.farm.entrypoints.stream.observing import holdings, joined
from corral.wire.overlay import Overlay, OverlayKind
from corral.wire.server import (
    Export,
    Move,
    Peer,
    ReleaseOrder,
    Replica,
    ReplicaReport,
    ReplicaState,
    ServerConfiguration,
)

RESTORED_AT = 1_000


def export(number: int, root: int, standing: str = "production") -> Export:
    return Export(name=f"golden/{number}", root=f"{root:064x}", signature="c2ln", standing=standing)


def replica(number: int, root: int, standing: str = "production", peer: str = "old") -> Replica:
    return Replica(
        root=f"{root:064x}",
        export=f"golden/{number}",
        signature="c2ln",
        size_bytes=1_000 * root,
        peers=(Peer(server=peer, url=f"http://{peer}:1"),),
        standing=standing,
        content="disk",
    )


def overlay(number: int, device: str = "pc1", created_at: int = 10) -> Overlay:
    return Overlay(
        id=UUID(int=number),
        export=f"golden/1@{device}",
        base=f"{1:064x}",
        subject=UUID(int=1),
        kind=OverlayKind.SERVER,
        limit_bytes=1,
        created_at=created_at,
    )


def said(generation: int, *versions: tuple[Export, Replica], **more: object) -> ServerConfiguration:
    base = ServerConfiguration(
        farm=UUID(int=1),
        generation=generation,
        farm_public_key="",
        server="s1",
        exports=tuple(one for one, _ in versions),
        replicas=tuple(one for _, one in versions),
        replication_ticket=f"ticket of {generation}",
    )
    return base.model_copy(update=more)


FIRST = (export(1, 1), replica(1, 1))
SECOND = (export(2, 2), replica(2, 2))


def restored(*versions: tuple[Export, Replica], **more: object) -> ServerConfiguration:
    return said(9_000, *versions, observes=True, restored_at=RESTORED_AT, **more)


def test_a_farm_that_does_not_observe_is_obeyed() -> None:
    wanted = said(9_000, FIRST)
    assert joined(said(57, FIRST, SECOND), wanted) is wanted
    assert holdings(wanted, ()) is None


def test_nothing_that_is_in_force_is_taken_away() -> None:
    order = ReleaseOrder(number=5)
    before = said(57, FIRST, SECOND, draining=True, order=order, overlays=(overlay(1),))
    wanted = restored(
        *((export(1, 1), replica(1, 1, peer="new")), (export(3, 3), replica(3, 3, peer="new"))),
        removals=(f"{2:064x}",),
        moves=(Move(device=UUID(int=1), to=("s2",)),),
        relay=True,
        order=ReleaseOrder(number=9),
    )
    now = joined(before, wanted)
    assert [one.name for one in now.exports] == ["golden/1", "golden/2", "golden/3"]
    assert {one.export: one.peers[0].server for one in now.replicas} == {
        "golden/1": "new",
        "golden/2": "old",
        "golden/3": "new",
    }
    assert (now.removals, now.moves, now.overlays) == ((), (), before.overlays)
    assert (now.draining, now.relay, now.order) == (True, False, order)
    assert (now.generation, now.replication_ticket) == (9_000, "ticket of 9000")
    assert now.followed == 57


def test_of_two_roots_under_one_name_the_one_in_force_stays() -> None:
    now = joined(said(57, SECOND), restored((export(2, 7), replica(2, 7))))
    assert [one.root for one in now.exports] == [f"{2:064x}"]


def test_a_server_that_starts_with_nothing_does_what_the_backup_says() -> None:
    now = joined(None, restored(FIRST))
    assert [one.name for one in now.exports] == ["golden/1"]
    assert now.followed == 0
    said_back = holdings(now, ())
    assert said_back is not None
    assert said_back.generation == 0


def test_joined_again_it_still_says_what_it_followed_before() -> None:
    """Whether the farm says something else meanwhile, or the process starts anew."""
    once = joined(said(57, FIRST, SECOND), restored(FIRST))
    again = joined(once, restored(FIRST).model_copy(update={"generation": 9_001}))
    assert [one.name for one in again.exports] == ["golden/1", "golden/2"]
    assert again.followed == 57
    # Restored once more, it had followed what the farm said when it observed.
    later = restored(FIRST).model_copy(update={"restored_at": RESTORED_AT + 1, "generation": 9_900})
    assert joined(again, later).followed == 9_001


def test_where_a_version_stands_is_told_as_it_was_said_last() -> None:
    before = said(57, (export(1, 1, "retired"), replica(1, 1, "retired")))
    found = holdings(joined(before, restored(FIRST)), ())
    assert found is not None
    assert [(one.export, one.standing) for one in found.versions] == [("golden/1", "retired")]


def test_what_is_held_is_said_whole() -> None:
    relayed = replica(4, 4)
    before = said(57, FIRST, SECOND, overlays=(overlay(1),))
    before = before.model_copy(update={"replicas": (*before.replicas, relayed)})
    whole = ReplicaReport(root=f"{2:064x}", state=ReplicaState.COMPLETE)
    found = holdings(joined(before, restored(FIRST)), (whole,))
    assert found is not None
    assert (found.generation, found.overlays) == (57, (overlay(1),))
    told = {one.export: (one.size_bytes, one.offered, one.complete) for one in found.versions}
    assert told == {
        "golden/1": (1_000, True, False),
        "golden/2": (2_000, True, True),
        "golden/4": (4_000, False, False),
    }


def test_a_device_writes_on_where_it_wrote_unless_it_has_started_anew() -> None:
    live, of_the_backup, begun = overlay(1), overlay(2), overlay(3, created_at=RESTORED_AT + 5)
    given_up = overlay(4, device="pc2")
    before = said(57, FIRST, overlays=(live,))
    kept = joined(before, restored(FIRST, overlays=(of_the_backup, given_up)))
    assert kept.overlays == (live,)
    assert joined(kept, restored(FIRST, overlays=(begun, given_up))).overlays == (begun,)
