"""What a computer should run, why it does not (S64 to S67), and what it is told."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.things import later, root
from tests.unit.farm.domain.computers import (
    BERTHA,
    DEBIAN,
    FEDORA,
    ROGER,
    V1,
    V2,
    V3,
    assigned_to,
    computer,
    group,
    in_test,
    known,
    machine,
    released,
    roots,
    said,
)

from corral.farm.domain.computer.check_in import KitState, MachineState, SeenKit
from corral.farm.domain.computer.computer import MachineKey
from corral.farm.domain.computer.orders import ChunkServer, Orders, orders_for
from corral.farm.domain.computer.plan import Assigned, Choice, Rules, plan_machines
from corral.farm.domain.computer.policy import MachinePolicy
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.why import Aim, Block, Difference, Why, why_differs
from corral.farm.domain.estate.server import ServerId, server_name
from corral.farm.domain.estate.site import FIRST_SITE, SiteId
from corral.farm.domain.image.version import Version, VersionState
from corral.farm.domain.image.write_cache import ImageMode

M = MachineState
LAPTOP = computer("laptop", 1, ROGER)
ELSEWHERE = SiteId(UUID(int=5))
TOO_OLD = Block("engine-too-old", "engine 1.0.0 runs no image of format 2")


def test_a_user_gets_the_released_version_and_one_who_is_staged_the_newest_in_test() -> None:
    (usual,) = plan_machines(LAPTOP, None, known(assigned_to(ROGER)))
    (staged,) = plan_machines(LAPTOP, None, known(assigned_to(ROGER, staged=True)))
    assert (usual.assigned, staged.assigned) == (V2, V3)
    assert (usual.ordered, staged.ordered) == (V2, V3)


def test_a_pinned_version_is_what_users_get() -> None:
    pinned = replace(DEBIAN, pinned=V1.number)
    (one,) = plan_machines(LAPTOP, None, known(assigned_to(ROGER), images=(pinned, FEDORA)))
    assert one.assigned == V1


def test_each_user_of_a_computer_gets_what_is_theirs() -> None:
    both = computer("shared", 2, ROGER, BERTHA)
    sales = group("sales", 1, BERTHA)
    fedora = released(FEDORA, 1, 9)
    planned = plan_machines(
        both,
        None,
        known(
            assigned_to(sales),
            assigned_to(ROGER, FEDORA, number=2),
            groups=(sales,),
            versions=(V1, V2, fedora),
        ),
    )
    assert [(one.image.name, one.user.name, one.assigned) for one in planned] == [
        ("debian", "bsmith", V2),
        ("fedora", "rboston", fedora),
    ]


@pytest.mark.parametrize(
    "state", [one for one in ComputerState if one is not ComputerState.REGISTERED]
)
def test_only_a_registered_computer_should_have_anything(state: ComputerState) -> None:
    assert plan_machines(replace(LAPTOP, state=state), None, known(assigned_to(ROGER))) == ()


def test_a_custom_machine_stays_at_the_version_that_lies_under_what_was_changed() -> None:
    custom = replace(DEBIAN, mode=ImageMode.CUSTOM)
    assigned = known(assigned_to(ROGER), images=(custom, FEDORA))
    (before,) = plan_machines(LAPTOP, None, assigned)
    (after,) = plan_machines(LAPTOP, said(machine(wanted=1, runs=1)), assigned)
    assert (before.assigned, after.assigned) == (V2, V1)


def test_a_version_that_must_not_be_given_leaves_what_is_there() -> None:
    rules = Rules(forbids=lambda _, version: TOO_OLD if version == V2 else None)
    assigned = known(assigned_to(ROGER))
    (has_one,) = plan_machines(LAPTOP, said(machine(wanted=1, runs=1)), assigned, rules)
    assert (has_one.assigned, has_one.ordered, has_one.block) == (V2, V1, TOO_OLD)
    (has_none,) = plan_machines(LAPTOP, None, assigned, rules)
    assert (has_none.assigned, has_none.ordered, has_none.block) == (V2, None, TOO_OLD)


@pytest.mark.parametrize("left", ["nothing in production", "deleted"])
def test_what_a_computer_has_is_not_taken_away_while_its_image_is_assigned(left: str) -> None:
    """An order that leaves a machine out would remove what its user keeps there."""
    versions: tuple[Version, ...] = (in_test(DEBIAN, 1, 1),)
    if left == "deleted":
        versions = (replace(V1, state=VersionState.DELETED),)
    (one,) = plan_machines(
        LAPTOP, said(machine(wanted=1, runs=1)), known(assigned_to(ROGER), versions=versions)
    )
    assert (one.assigned, one.ordered) == (None, versions[0])


def test_a_rollout_chooses_in_the_place_of_the_usual_rule() -> None:
    asked: list[Choice] = []

    def choose(choice: Choice) -> Version:
        asked.append(choice)
        return V1

    (one,) = plan_machines(LAPTOP, None, known(assigned_to(ROGER)), Rules(choose=choose))
    assert one.ordered == V1
    assert [(choice.usual, choice.user) for choice in asked] == [(V2, ROGER)]


# Each row: what is to be reached, what the computer says of it, and why it is not there yet.
AIM = Aim(root(2))
UNTIL = later(3600)
PROGRESS = {"done_bytes": 10, "total_bytes": 40, "rate": 5}
ROWS: list[tuple[str, Aim | None, dict[str, object] | None, Difference | None]] = [
    ("there", AIM, {"runs": 2, "state": M.PROVEN}, None),
    ("there, and being proven", AIM, {"runs": 2, "state": M.PROVING}, None),
    ("proven, and not running now", AIM, {"runs": None, "proven": root(2)}, None),
    ("nothing is waited for", None, {"runs": 1}, None),
    ("never heard of", AIM, None, Difference(Why.NOT_CHECKED_IN)),
    ("not told yet", AIM, {"wanted": 1}, Difference(Why.NOT_CHECKED_IN, later(60))),
    (
        "not told to try again",
        Aim(root(2), attempt=1),
        {"state": M.WENT_BACK},
        Difference(Why.NOT_CHECKED_IN, later(60)),
    ),
    (
        "the relay has not got it",
        Aim(root(2), arrives_at=UNTIL),
        {"state": M.READY_TO_DOWNLOAD},
        Difference(Why.READY_TO_DOWNLOAD, later(60), UNTIL),
    ),
    (
        "downloading",
        AIM,
        {"state": M.DOWNLOADING, **PROGRESS},
        Difference(Why.DOWNLOADING, later(60), None, 10, 40, 5),
    ),
    (
        "paused",
        AIM,
        {"state": M.PAUSED, **PROGRESS},
        Difference(Why.PAUSED, later(60), None, 10, 40, 5),
    ),
    ("preparing", AIM, {"state": M.PREPARING}, Difference(Why.PREPARING, later(60))),
    (
        "waiting for the VM, put off",
        AIM,
        {"state": M.WAITING_FOR_RESTART, "postponed_until": UNTIL},
        Difference(Why.WAITING_FOR_VM_RESTART, later(60), UNTIL),
    ),
    (
        "an older one was started again",
        AIM,
        {"state": M.PROVEN, "runs": 1},
        Difference(Why.WAITING_FOR_VM_RESTART, later(60)),
    ),
    (
        "the engine holds it",
        AIM,
        {"state": M.HELD, "code": "disk-full", "problem": "12 GiB are missing"},
        Difference(Why.BLOCKED, later(60), code="disk-full", text="12 GiB are missing"),
    ),
    (
        "failed",
        AIM,
        {"state": M.FAILED, "code": "chunk-refused", "problem": "no source gives it"},
        Difference(Why.FAILED, later(60), code="chunk-refused", text="no source gives it"),
    ),
    (
        "went back",
        AIM,
        {"state": M.WENT_BACK, "code": "not-healthy", "problem": "no word in 600 s"},
        Difference(Why.WENT_BACK, later(60), code="not-healthy", text="no word in 600 s"),
    ),
    (
        "a fact forbids it, whatever the computer last said",
        Aim(root(2), block=TOO_OLD),
        {"wanted": 1, "state": M.PROVEN},
        Difference(Why.BLOCKED, later(60), code=TOO_OLD.fact, text=TOO_OLD.text),
    ),
    (
        "a fact forbids it to one that was never heard of",
        Aim(root(2), block=TOO_OLD),
        None,
        Difference(Why.BLOCKED, code=TOO_OLD.fact, text=TOO_OLD.text),
    ),
]


@pytest.mark.parametrize(
    ("aim", "facts", "difference"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_the_reason_is_the_one_of_the_table(
    aim: Aim | None, facts: dict[str, object] | None, difference: Difference | None
) -> None:
    one = None if facts is None else machine(**facts)  # type: ignore[arg-type]
    spoken = None if one is None else said(one)
    assert why_differs(aim, spoken, one) == difference


def test_every_reason_has_a_row_but_those_of_users_without_a_computer_or_a_version() -> None:
    """And the restart of the computer, which the next test tells from other facts."""
    given_by_rows = {row[3].why for row in ROWS if row[3] is not None}
    assert given_by_rows == set(Why) - {
        Why.NO_COMPUTER,
        Why.NO_VERSION,
        Why.WAITING_FOR_COMPUTER_RESTART,
    }


@pytest.mark.parametrize(
    ("installed", "ends_it", "why"),
    [
        (KitState.INSTALLED, True, Why.WAITING_FOR_COMPUTER_RESTART),
        (KitState.INSTALLED, False, Why.BLOCKED),
        (KitState.DOWNLOADING, True, Why.BLOCKED),
    ],
)
def test_a_fact_that_the_installed_engine_ends_waits_for_the_computer(
    installed: KitState, why: Why, *, ends_it: bool
) -> None:
    block = replace(TOO_OLD, ends_at_restart=ends_it)
    spoken = said(machine(), kit=SeenKit("1.0.0", installed, "2.0.0"))
    difference = why_differs(Aim(root(2), block=block), spoken, spoken.machines[0])
    assert difference is not None
    assert (difference.why, difference.code) == (why, "engine-too-old")


@pytest.mark.parametrize(
    ("done", "total", "percent"), [(0, 0, None), (0, 9, 0), (8, 9, 88), (9, 9, 100), (12, 9, 100)]
)
def test_progress_is_whole_only_when_all_is_there(
    done: int, total: int, percent: int | None
) -> None:
    assert Difference(Why.DOWNLOADING, None, None, done, total).percent == percent


def chunk_server(
    name: str,
    number: int,
    site: SiteId = FIRST_SITE.id,
    holds: tuple[int, ...] = (),
    arrives: dict[int, datetime | None] | None = None,
) -> ChunkServer:
    return ChunkServer(
        ServerId(UUID(int=number)),
        server_name(name),
        f"http://192.0.2.{number}:10900",
        site,
        frozenset(roots(*holds)),
        {root(one): moment for one, moment in (arrives or {}).items()},
    )


def ordered(
    *servers: ChunkServer,
    assigned: Assigned | None = None,
    stays_home: bool = False,
    **facts: object,
) -> Orders:
    assigned = assigned or known(assigned_to(ROGER))
    laptop = replace(LAPTOP, **facts)  # type: ignore[arg-type] # each test names fields of it
    return orders_for(
        laptop,
        plan_machines(laptop, None, assigned),
        assigned,
        servers,
        FIRST_SITE.id,
        stays_home=stays_home,
    )


def test_servers_of_its_own_site_come_first_and_each_says_what_it_has() -> None:
    far = chunk_server("a-far", 1, ELSEWHERE, holds=(2,))
    near = chunk_server("z-near", 2, holds=(1, 2, 7))
    empty = chunk_server("m-empty", 3)
    orders = ordered(far, near, empty)
    assert {one.server for one in orders.sources[:2]} == {near.name, empty.name}
    assert orders.sources[2].server == far.name
    assert {one.server: one.has for one in orders.sources} == {
        near.name: roots(2),
        empty.name: (),
        far.name: roots(2),
    }
    assert orders.not_yet == ()


def test_a_site_that_is_not_gone_round_is_waited_for_and_says_how_long() -> None:
    far = chunk_server("far", 1, ELSEWHERE, holds=(2,))
    near = chunk_server("near", 2, arrives={2: later(90)})
    orders = ordered(far, near, stays_home=True)
    assert [one.server for one in orders.sources] == [near.name]
    assert (orders.not_yet, orders.not_yet_until) == (roots(2), later(90))


def test_when_something_is_expected_is_said_only_if_it_is_known_of_all() -> None:
    staged = known(
        assigned_to(ROGER),
        assigned_to(ROGER, FEDORA, number=2),
        versions=(V2, released(FEDORA, 1, 9)),
    )
    one_known = chunk_server("near", 2, arrives={2: later(90), 9: None})
    orders = ordered(one_known, assigned=staged)
    assert (orders.not_yet, orders.not_yet_until) == (roots(2, 9), None)


def test_computers_of_one_site_are_spread_over_its_servers() -> None:
    servers = [chunk_server(f"s{number}", number, holds=(2,)) for number in (1, 2, 3)]
    first = set()
    for number in range(1, 40):
        one = computer(f"pc{number}", number, ROGER)
        assigned = known(assigned_to(ROGER))
        planned = plan_machines(one, None, assigned)
        orders = orders_for(one, planned, assigned, servers, FIRST_SITE.id)
        again = orders_for(one, planned, assigned, servers[::-1], FIRST_SITE.id)
        assert orders == again, "the order of servers in the database must not matter"
        first.add(orders.sources[0].server)
    assert first == {server.name for server in servers}


def test_what_is_to_erase_itself_is_told_nothing_else() -> None:
    orders = ordered(chunk_server("s1", 1, holds=(2,)), state=ComputerState.KILL_PENDING)
    assert orders == Orders(LAPTOP.id, ComputerState.KILL_PENDING, erases=True)


def test_orders_carry_policy_attempt_and_pause() -> None:
    policy = MachinePolicy(memory_mib=2048, user_disk_bytes=1 << 30)
    again = LAPTOP.trying_again(MachineKey(DEBIAN.id, ROGER.id))
    orders = ordered(
        assigned=known(assigned_to(ROGER), policy=policy), is_paused=True, attempts=again.attempts
    )
    (one,) = orders.machines
    assert (one.policy, one.attempt, one.is_paused) == (policy, 1, True)
    assert (one.version, one.root, one.size_bytes) == (V2.name, V2.root, V2.size_bytes)


def test_an_expected_time_alone_is_nothing_new() -> None:
    sooner = ordered(chunk_server("s1", 1, arrives={2: later(50)}))
    later_on = ordered(chunk_server("s1", 1, arrives={2: later(99)}))
    there = ordered(chunk_server("s1", 1, holds=(2,)))
    assert sooner.digest() == later_on.digest() != there.digest()


@given(
    st.lists(st.sampled_from(["pause", "collection", "assign", "policy", "server"]), max_size=6),
    st.data(),
)
def test_orders_say_something_new_if_and_only_if_they_differ(
    changes: list[str], data: st.DataObject
) -> None:
    """``revision`` and what people wrote about a thing change nothing on a computer."""
    facts: dict[str, object] = {}
    servers: list[ChunkServer] = []
    policy = MachinePolicy()
    staged = False
    before = ordered()
    for change in changes:
        match change:
            case "pause":
                facts["is_paused"] = data.draw(st.booleans())
            case "collection":
                facts["description"] = data.draw(st.text(max_size=3))
                facts["revision"] = data.draw(st.integers(1, 9))
            case "assign":
                staged = data.draw(st.booleans())
            case "policy":
                policy = MachinePolicy(memory_mib=data.draw(st.sampled_from([1024, 2048])))
            case _:
                servers = [chunk_server("s1", 1, holds=(2,))] * data.draw(st.integers(0, 1))
        after = ordered(
            *servers,
            assigned=known(assigned_to(ROGER, staged=staged), policy=policy),
            stays_home=False,
            **facts,
        )
        assert (after == before) is (after.digest() == before.digest())
        before = after
