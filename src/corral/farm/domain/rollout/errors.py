"""Rules of rollouts that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    EditConflictError,
    InvalidInputError,
    RefusedError,
    TakenError,
    UnknownThingError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class GateInvalidError(InvalidInputError):
    """Every limit of a gate is a number within its range, and none is left out or made up.

    A limit that could not be understood would be a brake that is not there.
    """

    code = "gate-invalid"

    def __init__(self, what: str, given: object, rule: str) -> None:
        super().__init__(f"{given!r} as {what} will not do for a rollout: {rule}")


class WavesInvalidError(InvalidInputError):
    """Waves follow each other with rising shares, and each has the machines that its gate wants.

    A wave has the machines that it names, or as many as bring its share of all machines. Who is in
    none of them is offered nothing.
    """

    code = "waves-invalid"

    def __init__(self, rule: str) -> None:
        super().__init__(f"the waves will not do for a rollout: {rule}")


class RolloutTransitionError(RefusedError):
    """A rollout is moved only as the table in ``domain.rollout.state`` says."""

    code = "rollout-transition"

    def __init__(self, name: str, state: str, event: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"rollout {name!r} is {state} and cannot take '{event}'; possible is:"
            f" {', '.join(allowed) or 'nothing'}"
        )


class MemberTransitionError(RefusedError):
    """A machine goes through a rollout only as the table in ``domain.rollout.member`` says."""

    code = "rollout-member-transition"

    def __init__(self, member: str, state: str, event: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{member!r} is {state} in this rollout and cannot take '{event}'; possible is:"
            f" {', '.join(allowed) or 'nothing'}"
        )


class RolloutHaltedError(RefusedError):
    """A rollout whose gate has failed goes on only after somebody has accepted the failures.

    Trying machines again gives nothing back to the limits: `corral rollout resume NAME
    --accept-failures` says that what failed so far was looked at and does not count any more.
    """

    code = "rollout-halted"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"rollout {name!r} would halt again at once: {why}. 'corral rollout show {name}' names"
            " the machines; then stop it, take it back, or resume it with --accept-failures"
        )


class RolloutStandsStillError(RefusedError):
    """While a rollout stands still, no machine begins anything, not even once more."""

    code = "rollout-stands-still"

    def __init__(self, name: str, state: str) -> None:
        super().__init__(
            f"rollout {name!r} is {state}: machines are tried again while it is running;"
            f" 'corral rollout resume {name}' lets it go on"
        )


class RolloutMemberUnknownError(UnknownThingError):
    """The rollout has no machine of that name."""

    code = "rollout-member-unknown"

    def __init__(self, name: str, member: str) -> None:
        super().__init__(
            f"rollout {name!r} has no machine {member!r}: 'corral rollout show {name}' lists them"
        )


class RolloutUnknownError(UnknownThingError):
    """The farm has no rollout of that name."""

    code = "rollout-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has no rollout {name!r}: 'corral rollout list' shows those that it has"
        )


class RolloutNameTakenError(TakenError):
    """A new rollout needs a name that no other has."""

    code = "rollout-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has a rollout {name!r} already: choose another name, or 'corral rollout"
            " remove' forgets one that has ended"
        )


class RolloutChangedError(EditConflictError):
    """Somebody else, or a check-in, changed the rollout meanwhile."""

    code = "rollout-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"rollout {name!r} was changed in the meantime, nothing was written: look at it with"
            " 'corral rollout show', and repeat the command if it still makes sense"
        )


class RolloutBusyError(RefusedError):
    """One thing of a kind is rolled out at a time: what machines should have must be clear."""

    code = "rollout-busy"

    def __init__(self, name: str, other: str, state: str) -> None:
        super().__init__(
            f"{name!r} cannot be rolled out while rollout {other!r} of the same image or component"
            f" is {state}: let it complete, or 'corral rollout stop' or 'take-back' it first"
        )


class RolloutNotOverError(RefusedError):
    """A rollout is forgotten when it has ended: machines would have what nobody knows of."""

    code = "rollout-not-over"

    def __init__(self, name: str, state: str) -> None:
        super().__init__(
            f"rollout {name!r} is {state}: one that is complete, stopped or taken back can be"
            " removed"
        )


class OfferingInvalidError(RefusedError):
    """What is rolled out is a version that nobody has as a rule yet, or an available kit."""

    code = "rollout-offering-invalid"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name!r} cannot be rolled out: {why}")


class NoWayBackError(RefusedError):
    """Nothing is rolled out that could not be taken back: machines must have what to return to."""

    code = "rollout-no-way-back"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name!r} cannot be rolled out: {why}")


class RolloutStillNeededError(RefusedError):
    """While machines have a version by its rollout alone, the rollout is not forgotten."""

    code = "rollout-still-needed"

    def __init__(self, name: str, version: str, machines: int) -> None:
        super().__init__(
            f"{machines} machines have {version} because of rollout {name!r}, and would go back:"
            f" 'corral image promote {version} --to production' gives it to everybody, or 'corral"
            f" rollout take-back {name}' takes it back"
        )
