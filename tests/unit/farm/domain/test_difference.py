"""What differs after a restoration, and what is adopted of it, case by case."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from corral.farm.domain.backup.adoption import (
    Adoption,
    Remembered,
    SeenServer,
    plan_adoption,
)
from corral.farm.domain.backup.difference import DifferenceKind, SeenComputer, differences
from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion, Observation
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.estate.server import ServerId, ServerName
from corral.farm.domain.image.image import ImageId, ImageName
from corral.farm.domain.image.overlay import OverlayId, OverlayKind
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import (
    Access,
    Version,
    VersionName,
    VersionNumber,
    VersionState,
)

NOW = datetime(2026, 12, 1, tzinfo=UTC)
GOLDEN = ImageName("golden")
BACKUP = 40
LATER = 57
S1, S2, S3 = (ServerId(UUID(int=number)) for number in (1, 2, 3))
PC1 = DeviceId(UUID(int=11))


def root(number: int) -> RootHash:
    return RootHash(f"{number:064x}")


def version(number: int, root_number: int | None = None) -> Version:
    return Version(
        image_id=ImageId(UUID(int=100)),
        name=VersionName(GOLDEN, VersionNumber(number)),
        root=root(root_number or number),
        size_bytes=1_000,
        signature=b"signed",
        published_at=NOW,
        released_at=NOW,
    )


def held(
    number: int,
    root_number: int | None = None,
    standing: Standing | None = Standing.PRODUCTION,
) -> HeldVersion:
    return HeldVersion(
        VersionName(GOLDEN, VersionNumber(number)),
        root(root_number or number),
        b"signed",
        1_000,
        standing,
        is_offered=True,
        is_complete=True,
    )


def remembered(*versions: Version) -> Remembered:
    """Give what a backup knows: s1 and s2 hold all of it."""
    return Remembered(
        generation=BACKUP,
        versions=versions,
        last_numbers={GOLDEN: max((one.number for one in versions), default=0)},
        replicas=frozenset((server, one.root) for server in (S1, S2) for one in versions),
        overlays={},
        begun=frozenset(),
        devices={str(PC1): "pc1"},
    )


def server(
    server_id: ServerId, *versions: HeldVersion, generation: int = LATER, name: str = ""
) -> SeenServer:
    return SeenServer(
        server_id,
        ServerName(name or f"s{server_id.int}"),
        Observation(server_id, NOW, generation, versions),
    )


@dataclass(frozen=True)
class Case:
    """What servers say to a farm that remembers version 1 alone."""

    servers: tuple[SeenServer, ...]
    told: tuple[str, ...]
    """Codes and things."""
    adopted: tuple[tuple[str, Standing], ...] = ()


_GENERATION = "generation-newer farm"

CASES = {
    "nothing was told since": Case((server(S1, held(1), generation=BACKUP),), ()),
    "told since, but nothing new": Case((server(S1, held(1)),), (_GENERATION,)),
    "a newer version on two servers": Case(
        (server(S1, held(1), held(2)), server(S2, held(1), held(2))),
        ("version-newer version golden/2", _GENERATION),
        (("golden/2", Standing.PRODUCTION),),
    ),
    "a version between was deleted": Case(
        (server(S1, held(1), held(3)),),
        ("version-newer version golden/3", _GENERATION),
        (("golden/3", Standing.PRODUCTION),),
    ),
    "in test it stays in test": Case(
        (server(S1, held(2, standing=Standing.TEST)),),
        ("version-newer version golden/2", _GENERATION),
        (("golden/2", Standing.TEST),),
    ),
    "retired it stays retired": Case(
        (server(S1, held(2, standing=Standing.RETIRED)),),
        ("version-newer version golden/2", _GENERATION),
        (("golden/2", Standing.RETIRED),),
    ),
    "a date that nobody knows any more releases nothing": Case(
        (server(S1, held(2, standing=Standing.PENDING)),),
        ("version-newer version golden/2", _GENERATION),
        (("golden/2", Standing.TEST),),
    ),
    "an older release did not say where it stands": Case(
        (server(S1, held(2, standing=None)),),
        ("version-newer version golden/2", _GENERATION),
        (("golden/2", Standing.TEST),),
    ),
    "the number is another's by now": Case(
        (server(S1, held(1, root_number=9)),),
        ("version-contested version golden/1", _GENERATION),
        (("golden/2", Standing.TEST),),
    ),
    "two servers know two of one number": Case(
        (
            server(S1, held(2, root_number=21)),
            server(S2, held(2, root_number=22), generation=LATER + 1),
        ),
        (
            "version-newer version golden/2",
            "version-contested version golden/2",
            _GENERATION,
        ),
        (("golden/2", Standing.PRODUCTION), ("golden/3", Standing.TEST)),
    ),
    "promoted or reverted since": Case(
        (server(S1, held(1, standing=Standing.TEST)),),
        ("standing-newer version golden/1", _GENERATION),
    ),
    "whoever was told last is right about where it stands": Case(
        (
            server(S1, held(1, standing=Standing.TEST)),
            server(S2, held(1), generation=LATER + 1),
        ),
        (_GENERATION,),
    ),
    "a server that was behind the backup is right about nothing": Case(
        (server(S1, held(1, standing=Standing.TEST), held(2), generation=BACKUP - 1),),
        ("version-deleted version golden/2",),
    ),
    "a copy that was made since": Case(
        (server(S3, held(1)),), ("replica-newer version golden/1", _GENERATION)
    ),
    "a server that nobody has heard of": Case(
        (SeenServer(S1, ServerName("s1")),), ("server-unheard server s1",)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_differences(case: Case) -> None:
    known = remembered(version(1))
    told = [f"{one.kind.code} {one.thing}" for one in differences(known, case.servers)]
    assert tuple(told) == case.told
    adoption = plan_adoption(known, case.servers)
    assert tuple((str(one.name), one.standing) for one in adoption.versions) == case.adopted


@pytest.mark.parametrize("state", [VersionState.DELETING, VersionState.DELETED])
def test_what_was_deleted_before_the_backup_stays_deleted(state: VersionState) -> None:
    known = remembered(version(1), replace(version(2), state=state))
    servers = (server(S1, held(1), held(2)),)
    assert plan_adoption(known, servers) == Adoption()
    (told, _) = differences(known, servers)
    assert (told.kind, told.thing) == (DifferenceKind.VERSION_DELETED, "version golden/2")


def test_a_server_that_was_dealt_with_adds_nothing() -> None:
    said = server(S1, held(2))
    assert said.observation is not None
    settled = replace(said, observation=said.observation.settled(NOW))
    assert differences(remembered(version(1)), (settled,)) == ()


def test_the_three_values_of_a_version_that_devices_stream() -> None:
    one = replace(server(S1, held(1), held(2)), streams=(("pc1", "golden/2"),))
    (newer, generation) = differences(remembered(version(1)), (one, server(S2, held(1))))
    assert newer.backup == "no such version"
    assert newer.said == f"root {root(2).short}, in production, told s1"
    assert newer.live == "s1 has all of it and offers it; pc1 streams it"
    assert (generation.backup, generation.said) == ("generation 40", "generation 57, told s1")


def overlay(device: DeviceId = PC1, base: int = 1) -> HeldOverlay:
    return HeldOverlay(
        OverlayId(UUID(int=50)),
        "golden/1@pc1",
        root(base),
        device,
        OverlayKind.SERVER_PERSISTENT,
        2_000,
    )


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (overlay(), "overlay-newer"),
        (overlay(base=2), "overlay-newer"),
        (overlay(device=DeviceId(UUID(int=12))), "overlay-unclaimed"),
        (overlay(base=8), "overlay-unclaimed"),
    ],
    ids=["known below", "adopted below", "no such device", "nothing below"],
)
def test_what_devices_write_goes_on_where_it_can(written: HeldOverlay, code: str) -> None:
    said = Observation(S1, NOW, LATER, (held(1), held(2)), (written,))
    servers = (SeenServer(S1, ServerName("s1"), said),)
    known = remembered(version(1))
    told = [one.kind.code for one in differences(known, servers)]
    assert told == ["version-newer", code, "generation-newer"]
    assert bool(plan_adoption(known, servers).overlays) is (code == "overlay-newer")


@pytest.mark.parametrize(
    ("generation", "is_begun", "is_gone"),
    [(LATER, False, True), (LATER, True, False), (BACKUP, False, False)],
    ids=["given up since", "begun since", "the server is no further than the backup"],
)
def test_what_was_given_up_since_is_not_begun_anew(
    generation: int, *, is_begun: bool, is_gone: bool
) -> None:
    given_up, other = OverlayId(UUID(int=60)), OverlayId(UUID(int=61))
    known = replace(
        remembered(version(1)),
        overlays={given_up: S1, other: S2},
        begun=frozenset({given_up} if is_begun else ()),
    )
    servers = (server(S1, held(1), generation=generation), SeenServer(S2, ServerName("s2")))
    assert plan_adoption(known, servers).gone == ((given_up,) if is_gone else ())
    told = [one.kind.code for one in differences(known, servers)]
    assert ("overlay-gone" in told) is is_gone


def test_a_device_that_nobody_knows_is_named() -> None:
    stranger = str(UUID(int=77))
    one = replace(
        server(S1, held(1), generation=BACKUP),
        streams=((stranger, "golden/1"),),
        unknown=frozenset({stranger}),
    )
    (told,) = differences(remembered(version(1)), (one,))
    assert (told.kind, told.thing) == (DifferenceKind.DEVICE_UNKNOWN, f"device {stranger}")


def test_a_computer_is_ahead_only_of_what_is_not_adopted() -> None:
    servers = (server(S1, held(2)),)
    known = remembered(version(1))
    runs_adopted = SeenComputer("c1", "golden/1", "golden 2", frozenset({root(2)}))
    runs_lost = SeenComputer("c2", "golden/1", "golden 3", frozenset({root(3)}))
    has_more = SeenComputer("c3", "nothing for that user", "other/1 for ann", frozenset({None}))
    told = differences(known, servers, (runs_adopted, runs_lost, has_more))
    ahead = [one.thing for one in told if one.kind is DifferenceKind.COMPUTER_AHEAD]
    assert ahead == ["computer c2", "computer c3"]


def test_what_is_adopted_is_no_difference_any_more() -> None:
    """Looked at again with what was adopted in the records, nothing is left to adopt."""
    servers = (server(S1, held(1, standing=Standing.RETIRED), held(2)), server(S3, held(2)))
    known = remembered(version(1))
    adoption = plan_adoption(known, servers)
    after = replace(
        known,
        versions=(
            replace(version(1), state=VersionState.RETIRED, access=Access.PRODUCTION),
            version(2),
        ),
        replicas=known.replicas
        | {(one, root(2)) for adopted in adoption.versions for one, _ in adopted.holders},
    )
    assert plan_adoption(after, servers) == Adoption()
