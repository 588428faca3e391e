"""The rules of users, computers and assignments that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    DeniedError,
    EditConflictError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class UserUnknownError(UnknownThingError):
    """The farm has no user of that name."""

    code = "user-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has no user {name!r}: 'corral user list' shows those it has")


class UserNameTakenError(TakenError):
    """The name of a user is unique in its farm."""

    code = "user-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has a user {name!r} already: choose another name")


class UserChangedError(EditConflictError):
    """A user is changed by one person at a time; the second is told to look again."""

    code = "user-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"user {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral user show {name}', then repeat your change if it still makes sense"
        )


class UserHasComputersError(RefusedError):
    """A user is removed only when no computer is theirs: what they keep on it would go, too."""

    code = "user-has-computers"

    def __init__(self, name: str, computers: Sequence[str]) -> None:
        super().__init__(
            f"user {name!r} still uses {some_of(computers)}, which would lose what they keep"
            f" there: first 'corral computer change COMPUTER --drop-user {name}', or delete it"
        )


class FullNameInvalidError(InvalidInputError):
    """A person's full name is one line of at most 200 characters."""

    code = "full-name-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} cannot be shown as a person's name: write one line of at most 200 characters"
        )


class UserGroupUnknownError(UnknownThingError):
    """The farm has no user group of that name."""

    code = "user-group-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has no user group {name!r}: 'corral user-group list' shows those it has"
        )


class UserGroupNameTakenError(TakenError):
    """The name of a user group is unique in its farm."""

    code = "user-group-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has a user group {name!r} already: choose another name")


class UserGroupChangedError(EditConflictError):
    """A user group is changed by one person at a time; the second is told to look again."""

    code = "user-group-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"user group {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral user-group show {name}', then repeat your change if it still makes sense"
        )


class AssignmentChangedError(EditConflictError):
    """An assignment is changed by one person at a time; the second is told to look again."""

    code = "assignment-changed"

    def __init__(self, image: str, holder: str) -> None:
        super().__init__(
            f"what {holder} has of image {image!r} was changed by somebody else since you looked:"
            f" look again with 'corral image users {image}', then repeat your change"
        )


class AssignmentUnknownError(UnknownThingError):
    """An assignment is taken away from a user or a user group that has it."""

    code = "assignment-unknown"

    def __init__(self, image: str, holder: str) -> None:
        super().__init__(
            f"image {image!r} is not assigned to {holder}: 'corral image users {image}' shows who"
            " has it, and by which group"
        )


class AssigneeMissingError(InvalidInputError):
    """An image is assigned to somebody: to users, to user groups, or to both."""

    code = "assignee-missing"

    def __init__(self) -> None:
        super().__init__("nobody was named: say --user or --group, each as often as you like")


class ComputerUnknownError(UnknownThingError):
    """The farm has no computer of that name."""

    code = "computer-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has no computer {name!r}: 'corral computer list' shows those it has"
        )


class ComputerNameTakenError(TakenError):
    """The name of a computer is unique in its farm."""

    code = "computer-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has a computer {name!r} already: register under another name, or delete or"
            " recycle that one first"
        )


class ComputerKeyTakenError(TakenError):
    """A key pair belongs to one computer."""

    code = "computer-key-taken"

    def __init__(self, owner: str) -> None:
        super().__init__(f"the key that was shown is that of computer {owner!r} already")


class ComputerChangedError(EditConflictError):
    """A computer is changed by one person at a time; the second is told to look again."""

    code = "computer-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"computer {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral computer show {name}', then repeat your change if it still makes sense"
        )


class ComputerTransitionError(RefusedError):
    """A computer is moved only as the table in ``domain.computer.state`` says."""

    code = "computer-transition"

    def __init__(self, name: str, state: str, event: str, allowed: Sequence[str]) -> None:
        possible = ", ".join(allowed) or "nothing"
        super().__init__(
            f"computer {name!r} is {state}, and cannot take '{event}'; possible is: {possible}."
            f" 'corral computer show {name}' says how it stands"
        )


class ComputerToldError(RefusedError):
    """A kill is undone only until the computer has been told of it."""

    code = "computer-told"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"computer {name!r} has been told to erase itself, which nothing calls back: register"
            " it anew once it says that it has ('corral computer recycle')"
        )


class ComputerKillPendingError(RefusedError):
    """A computer that is to erase itself and has not heard of it yet is not forgotten."""

    code = "computer-kill-pending"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"computer {name!r} is to erase itself and has not been told yet; without the farm's"
            f" memory of it, it never would be: undo that first with 'corral computer kill-undo"
            f" {name}' if it is to be forgotten all the same"
        )


class ComputerKilledError(DeniedError):
    """A computer that was told to erase itself, and said that it has, is not listened to."""

    code = "computer-killed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"computer {name!r} was killed, and is not listened to any more: an administrator lets"
            f" it register anew with 'corral computer recycle {name}'"
        )


class ComputerKeyInvalidError(InvalidInputError):
    """A computer's public key is an Ed25519 key of 32 bytes."""

    code = "computer-key-invalid"

    def __init__(self, length: int) -> None:
        super().__init__(
            f"a public key of {length} bytes is none of Ed25519, which has 32: let the engine make"
            " its key anew"
        )


class ComputersWaitError(TryAgainError):
    """Only so many computers wait for approval at a time, whoever asks."""

    code = "computers-wait"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} computers wait for approval already: an administrator approves or refuses some"
            " first ('corral computer list --filter state=waiting'), or gives you a one-time code"
        )


class ComputerUserNeededError(InvalidInputError):
    """A computer is approved for somebody."""

    code = "computer-user-needed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"nobody is known to use computer {name!r}: say whom with --user, or add the user that"
            " it names first"
        )


class RegistrationCodeWrongError(DeniedError):
    """A one-time code works until it is used up or over; which of it was, is not said."""

    code = "registration-code-wrong"

    def __init__(self) -> None:
        super().__init__(
            "the farm knows no such code: it was mistyped, is used up, or is over. An administrator"
            " makes another with 'corral computer code'"
        )


class RegistrationCodeUnknownError(UnknownThingError):
    """The farm has no registration code of that id."""

    code = "registration-code-unknown"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"the farm has no registration code {text!r}: 'corral computer codes' shows those it"
            " has"
        )


class RegistrationCodeUnfitError(InvalidInputError):
    """A one-time code lives for a minute to 90 days, and registers 1 to 1,000 computers."""

    code = "registration-code-unfit"

    def __init__(self) -> None:
        super().__init__(
            "such a code cannot be made: let it live for a minute to 90 days, and register 1 to"
            " 1000 computers"
        )


class ComputerSignatureError(DeniedError):
    """What a computer says is signed by its own key; why it is not believed is not said."""

    code = "computer-signature-wrong"

    def __init__(self) -> None:
        super().__init__(
            "this is not signed by the key of that computer: the farm listens to a computer only"
            " with the key that it registered with; register it anew if that key is lost"
        )


class CheckInForeignError(DeniedError):
    """A check-in names the farm and the computer that it is for."""

    code = "check-in-foreign"

    def __init__(self) -> None:
        super().__init__(
            "this was said for another farm or by another computer: check that the engine asks the"
            " farm that it is registered with"
        )


class ComputerAheadError(TryAgainError):
    """The farm was restored, and its orders would take from a computer what it has.

    A machine that the farm does not remember, or one that would go back to an older version. The
    computer goes on with the orders that it has. Assign again what it has; or `corral farm accept
    --taking-from COMPUTER` lets the orders go out as they are.
    """

    code = "computer-ahead"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"computer {name} has {what}, and the farm was restored from a backup: it is given no"
            " orders until that is assigned to it again, or somebody says 'corral farm accept"
            f" --taking-from {name}'"
        )


class CheckInReplayedError(RefusedError):
    """The number of a computer's check-ins only rises: what was said before is not heard again."""

    code = "check-in-replayed"

    def __init__(self, heard: int) -> None:
        super().__init__(
            f"check-in {heard} of this computer has been heard: the next has a higher number. An"
            " engine that was put back to an earlier state goes on above that one"
        )


class SignalsBusyError(TryAgainError):
    """Only so many computers wait for a signal at a time, in all and from one address."""

    code = "signals-busy"

    def __init__(self) -> None:
        super().__init__(
            "too many computers wait for a signal here: check in as often as the orders say"
        )


class CheckInInvalidError(InvalidInputError):
    """What is signed is a message of the described form."""

    code = "check-in-invalid"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"the signed text is not as the API's description says: {where}; the engine is of a"
            " release that this farm does not understand"
        )


class ComputerUserUnknownError(UnknownThingError):
    """A user is taken off a computer that they use."""

    code = "computer-user-unknown"

    def __init__(self, computer: str, user: str) -> None:
        super().__init__(
            f"user {user!r} does not use computer {computer!r}:"
            f" 'corral computer show {computer}' says who does"
        )


class MachineUnknownError(UnknownThingError):
    """A computer tries again what it should run."""

    code = "machine-unknown"

    def __init__(self, computer: str, image: str) -> None:
        super().__init__(
            f"computer {computer!r} should run nothing of image {image!r}:"
            f" 'corral computer images {computer}' says what it should"
        )


class MachinePolicyInvalidError(InvalidInputError):
    """How a virtual machine is run lies within what an engine can do."""

    code = "machine-policy-invalid"

    def __init__(self, what: str, least: int, most: int) -> None:
        super().__init__(f"{what} of a virtual machine is a number from {least} to {most}")


class MachinePolicyChangedError(EditConflictError):
    """How machines of an image run is changed by one person at a time."""

    code = "machine-policy-changed"

    def __init__(self, image: str) -> None:
        super().__init__(
            f"how machines of image {image!r} run was changed by somebody else since you looked:"
            f" look again with 'corral image machine {image}', then repeat your change"
        )
