"""Why a machine's releases are not as they were ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    DamagedError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReleaseUntrustedError(RefusedError):
    """A server lays out only releases that a publisher has signed whom it trusts itself.

    Its list is the file `publishers` in its releases folder, or that of the release that runs. What
    the farm's library trusts does not matter here.
    """

    code = "release-untrusted"

    def __init__(self, release: str, trusted: int) -> None:
        super().__init__(
            f"release {release} is signed by none of the {trusted} publishers that this machine"
            " trusts: add the publisher's public key to the file 'publishers' in its releases"
            " folder, or order a kit of another publisher"
        )


class ReleaseDamagedError(DamagedError):
    """What a server lays out is byte for byte what its publisher signed."""

    code = "release-damaged"

    def __init__(self, release: str, reason: str) -> None:
        super().__init__(
            f"the kit of release {release} cannot be laid out: {reason}; have its publisher build"
            " it anew"
        )


class ReleaseUnfitError(RefusedError):
    """A server lays out kits of the farm, of the release that was ordered, that start there."""

    code = "release-unfit"

    def __init__(self, release: str, reason: str) -> None:
        super().__init__(
            f"the kit of release {release} is not for this machine: {reason}; order another one"
        )


class ReleaseInUseError(RefusedError):
    """A release that runs, or ran before, is not replaced by another kit of the same number."""

    code = "release-in-use"

    def __init__(self, release: str) -> None:
        super().__init__(
            f"another kit of release {release} lies there and is in use: give the new one a number"
            " of its own"
        )


class ReleasesFullError(EnvironmentFaultError):
    """A release is laid out whole or not at all."""

    code = "releases-full"

    def __init__(self, release: str, path: object) -> None:
        super().__init__(
            f"release {release} has no room in {path}; nothing was changed there: free some space"
            " on its disk, and it goes on by itself"
        )


class ReleasesUnusableError(EnvironmentFaultError):
    """A machine's releases folder can be read and written by its services."""

    code = "releases-unusable"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"the releases in {path} cannot be used: {reason}")


class PublishersUnusableError(InvalidInputError):
    """The list of publishers has one public key a line."""

    code = "publishers-unusable"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"the list of publishers {path} cannot be used: {reason}; correct it")


class ServicesInvalidError(InvalidInputError):
    """A machine's services are named in a file as `corral serve supervisor` reads it."""

    code = "services-invalid"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path} does not say which services to start: {reason}")


class SupervisorRunsError(RefusedError):
    """A releases folder has one supervisor."""

    code = "supervisor-runs"

    def __init__(self, path: object) -> None:
        super().__init__(f"another supervisor runs the services of {path}: stop that one first")


class ReleaseNotInstalledError(RefusedError):
    """Services are started from a release that lies on the machine."""

    code = "release-not-installed"

    def __init__(self, release: str) -> None:
        super().__init__(
            f"release {release} does not lie on this machine: have it installed first;"
            " 'corral supervisor show' lists what there is"
        )


class ReleaseUnexpectedError(RefusedError):
    """A switch says what it is from; with anything else in force, nothing is done."""

    code = "release-unexpected"

    def __init__(self, release: str, expected: str, active: str) -> None:
        super().__init__(
            f"the switch to {release} expects {expected or 'nothing'}, and {active} is in force:"
            " somebody changed it meanwhile; look, then order again"
        )


class ReleaseNotProvenError(RefusedError):
    """A release stays in force only if its services run and pass their self-test in time."""

    code = "release-not-proven"

    def __init__(self, release: str, reason: str, before: str) -> None:
        super().__init__(
            f"release {release} did not prove itself: {reason}; {before} is in force again, and"
            " the logs of the services say more"
        )


class SelfTestFailedError(DamagedError):
    """A server can read all that it offers."""

    code = "self-test-failed"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the self-test since the last start was not passed: {reason}; 'corral store heal' puts"
            " right what is damaged, then restart the stream process"
        )


class OrderOutdatedError(RefusedError):
    """The orders that a server gets have rising numbers, and it obeys none twice."""

    code = "order-outdated"

    def __init__(self, number: int, obeyed: int) -> None:
        super().__init__(
            f"order {number} about releases is older than {obeyed}, which was obeyed; was the farm"
            " restored from a backup? Its next orders must have higher numbers"
        )


class SupervisionTransitionError(RefusedError):
    """A change of releases goes from stage to stage only as the table says."""

    code = "supervision-transition"

    def __init__(self, stage: str, event: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"a machine's releases are {stage} and cannot take '{event}'; possible is:"
            f" {', '.join(allowed) or 'nothing'}"
        )
