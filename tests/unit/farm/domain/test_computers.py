"""What a computer may become, who has which image, and the codes that register."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from tests.contract.things import NOW, later
from tests.unit.farm.domain.computers import (
    BERTHA,
    DEBIAN,
    FEDORA,
    ROGER,
    assigned_to,
    computer,
    group,
)

from corral.farm.domain.access.token import Token
from corral.farm.domain.computer.assignment import granted_to
from corral.farm.domain.computer.code import (
    Code,
    RegistrationCode,
    RegistrationCodeId,
    checked_code,
)
from corral.farm.domain.computer.computer import MachineKey, public_key
from corral.farm.domain.computer.errors import (
    ComputerKeyInvalidError,
    ComputerKillPendingError,
    ComputerToldError,
    ComputerTransitionError,
    FullNameInvalidError,
    MachinePolicyInvalidError,
    RegistrationCodeUnfitError,
    RegistrationCodeWrongError,
)
from corral.farm.domain.computer.policy import MachinePolicy
from corral.farm.domain.computer.state import (
    TRANSITIONS,
    ComputerEvent,
    ComputerState,
    allowed_events,
)
from corral.farm.domain.computer.user import full_name
from corral.farm.domain.estate.collection import FIRST_COLLECTION

S, E = ComputerState, ComputerEvent


@pytest.mark.parametrize("state", ComputerState)
@pytest.mark.parametrize("event", ComputerEvent)
def test_computers_move_only_as_the_table_says(state: ComputerState, event: ComputerEvent) -> None:
    told = NOW if event is E.DELETE else None
    one = replace(computer(), state=state, kill_told_at=told)
    if (state, event) in TRANSITIONS:
        assert one.next_state(event) is TRANSITIONS[state, event]
        assert one.after(event, NOW).state is (TRANSITIONS[state, event] or state)
        return
    with pytest.raises(ComputerTransitionError, match="cannot take") as refusal:
        one.next_state(event)
    for possible in allowed_events(state):
        assert possible in refusal.value.message


def test_the_way_through_a_kill_is_the_only_one_to_killed_and_to_recycled() -> None:
    def before(state: ComputerState) -> set[tuple[ComputerState, ComputerEvent]]:
        return {arrow for arrow, after in TRANSITIONS.items() if after is state}

    assert before(S.KILLED) == {(S.KILL_PENDING, E.ERASED)}
    assert before(S.RECYCLED) == {(S.KILLED, E.RECYCLE)}
    assert before(S.KILL_PENDING) == {(S.REGISTERED, E.KILL)}


def test_a_kill_is_undone_until_the_computer_has_been_told() -> None:
    pending = computer().after(E.KILL, NOW)
    assert pending.erases
    assert pending.after(E.UNDO_KILL, later(1)) == computer()
    told = pending.told(later(2))
    assert told.told(later(3)).kill_told_at == later(2), "the first time counts"
    with pytest.raises(ComputerToldError):
        told.after(E.UNDO_KILL, later(4))


def test_what_is_to_erase_itself_is_not_forgotten_before_it_has_heard_of_it() -> None:
    pending = computer().after(E.KILL, NOW)
    with pytest.raises(ComputerKillPendingError):
        pending.next_state(E.DELETE)
    assert pending.told(NOW).next_state(E.DELETE) is None


def test_a_computer_that_says_it_is_erased_is_not_heard_any_more() -> None:
    killed = computer().after(E.KILL, NOW).told(NOW).after(E.ERASED, later(9))
    assert (killed.state, killed.killed_at, killed.is_heard) == (S.KILLED, later(9), False)
    assert not killed.after(E.RECYCLE, later(10)).is_heard


def test_each_machine_is_tried_again_by_itself() -> None:
    one, other = MachineKey(DEBIAN.id, ROGER.id), MachineKey(DEBIAN.id, BERTHA.id)
    twice = computer().trying_again(one).trying_again(one)
    assert (twice.attempt(one), twice.attempt(other)) == (2, 0)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_has_the_length_of_one(length: int) -> None:
    with pytest.raises(ComputerKeyInvalidError):
        public_key(bytes(length))


@pytest.mark.parametrize("text", ["two\nlines", "a\x00b", "x" * 201])
def test_a_full_name_is_one_line(text: str) -> None:
    with pytest.raises(FullNameInvalidError):
        full_name(text)


def test_a_full_name_is_kept_without_what_stands_around_it() -> None:
    assert full_name("  Roger Boston ") == "Roger Boston"


@pytest.mark.parametrize(
    ("own", "of_groups", "staged"),
    [
        (False, (), False),
        (True, (), True),
        (None, (False,), False),
        (None, (True,), True),
        (None, (False, True), True),
        # What is said of the user alone counts more.
        (False, (True,), False),
        (True, (False,), True),
    ],
)
def test_own_assignments_count_more_than_those_of_groups(
    *, own: bool | None, of_groups: tuple[bool, ...], staged: bool
) -> None:
    groups = [group(f"g{number}", number, ROGER) for number in range(len(of_groups))]
    assignments = [
        assigned_to(one, number=2 + number, staged=staged)
        for number, (one, staged) in enumerate(zip(groups, of_groups, strict=True))
    ]
    if own is not None:
        assignments.append(assigned_to(ROGER, staged=own))
    granted = granted_to(ROGER.id, groups, assignments)[DEBIAN.id]
    assert granted.is_staged is staged
    assert (granted.own is not None) is (own is not None)
    assert [one.name for one, _ in granted.by_groups] == [one.name for one in groups]


def test_what_others_have_is_not_ones_own() -> None:
    sales = group("sales", 1, BERTHA)
    assignments = [assigned_to(BERTHA, FEDORA), assigned_to(sales, number=2)]
    assert granted_to(ROGER.id, [sales], assignments) == {}
    assert set(granted_to(BERTHA.id, [sales], assignments)) == {DEBIAN.id, FEDORA.id}


def test_a_code_is_read_however_it_is_typed_and_never_shown() -> None:
    made = Code.made_of(Token(bytes(range(32))))
    text = made.reveal()
    assert len(text.split("-")) == 6
    for typed in (text.upper(), text.replace("-", " "), f" {text.replace('-', '')} "):
        assert Code(typed).digest() == made.digest()
    assert text not in repr(made)
    assert text[:4] not in str(made.digest())


@pytest.mark.parametrize("text", ["", "abcd", "abcd-efgh-ijkl-mnop-qrst-uvw1", "ä" * 24])
def test_what_is_no_code_is_refused_like_a_wrong_one(text: str) -> None:
    with pytest.raises(RegistrationCodeWrongError):
        Code(text)


@pytest.mark.parametrize(
    ("uses", "at", "works"), [(1, 59, True), (1, 60, False), (0, 0, False), (2, 0, True)]
)
def test_a_code_works_until_it_is_used_up_or_over(uses: int, at: int, *, works: bool) -> None:
    code = RegistrationCode(
        RegistrationCodeId(UUID(int=1)),
        Code.made_of(Token(bytes(32))).digest(),
        NOW,
        later(60),
        FIRST_COLLECTION.id,
        uses_left=uses,
    )
    assert code.works(later(at)) is works


@pytest.mark.parametrize(
    ("life", "uses"),
    [
        (timedelta(seconds=59), 1),
        (timedelta(days=91), 1),
        (timedelta(days=1), 0),
        (timedelta(days=1), 1001),
    ],
)
def test_codes_that_live_too_long_or_register_too_many_are_not_made(
    life: timedelta, uses: int
) -> None:
    with pytest.raises(RegistrationCodeUnfitError):
        checked_code(life, uses)


@pytest.mark.parametrize(
    "facts", [{"memory_mib": 63}, {"processors": 0}, {"user_disk_bytes": -1}, {"soak_seconds": -1}]
)
def test_a_policy_lies_within_what_an_engine_can_do(facts: dict[str, int]) -> None:
    with pytest.raises(MachinePolicyInvalidError, match="a number from"):
        MachinePolicy(**facts)  # type: ignore[arg-type] # only numbers are given
