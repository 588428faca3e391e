"""What can be wrong with a kit that was ordered."""

from __future__ import annotations

from corral.engine.domain.errors import DeniedError, RefusedError


class KitUntrustedError(DeniedError):
    """A kit is installed only if a publisher has signed it whom this computer trusts."""

    code = "kit-untrusted"

    def __init__(self, release: str, trusted: int) -> None:
        super().__init__(
            f"the kit of release {release} is signed by none of the {trusted} publishers that this"
            " computer trusts: add the publisher's public key to its list of publishers, or order"
            " a kit of another publisher"
        )


class KitDamagedError(RefusedError):
    """What is installed is byte for byte what its publisher signed."""

    code = "kit-damaged"

    def __init__(self, release: str, reason: str) -> None:
        super().__init__(
            f"the kit of release {release} cannot be installed: {reason}; have its publisher build"
            " it anew"
        )


class KitUnfitError(RefusedError):
    """A kit is for the engine, of the release that was ordered, and starts on this computer."""

    code = "kit-unfit"

    def __init__(self, release: str, reason: str) -> None:
        super().__init__(
            f"the kit of release {release} is not for this computer: {reason}; order another one"
        )


class PublishersUnreadableError(DeniedError):
    """The list of trusted publishers has one public key a line."""

    code = "publishers-unreadable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the list of publishers {path} cannot be used: {reason}; correct it")


class NoLauncherError(RefusedError):
    """Only an agent that the launcher has started can be replaced by another release."""

    code = "no-launcher"

    def __init__(self) -> None:
        super().__init__(
            "this agent was not started by corral-engine-launcher, which alone changes releases:"
            " have the computer's service start that"
        )
