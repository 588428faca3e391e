"""What the world around an engine can refuse."""

from __future__ import annotations

from corral.engine.domain.errors import (
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TryAgainError,
    UnknownThingError,
)


class NotRegisteredError(RefusedError):
    """A computer that belongs to no farm has nothing to check in with."""

    code = "not-registered"

    def __init__(self) -> None:
        super().__init__(
            "this computer is not registered with a farm:"
            " run 'corral-engine register URL --code-file FILE'"
        )


class AlreadyRegisteredError(RefusedError):
    """A computer belongs to one farm."""

    code = "already-registered"

    def __init__(self, farm: str) -> None:
        super().__init__(
            f"this computer is registered with the farm {farm!r}; have that farm kill or recycle"
            " it first, or give it another state folder"
        )


class FarmUnreachableError(TryAgainError):
    """None of the farm's addresses answered."""

    code = "farm-unreachable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the farm does not answer: {reason}; an agent that runs tries again by itself"
        )


class FarmRefusedError(RefusedError):
    """The farm answered, and said no."""

    code = "farm-refused"

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"the farm refused ({code}): {reason}")
        self.farm_code = code


class FarmUnintelligibleError(TryAgainError):
    """The farm's answer is not one that this release can read."""

    code = "farm-unintelligible"

    def __init__(self, url: str, where: str) -> None:
        super().__init__(
            f"the answer of {url} cannot be read (at {where}): look whether the address is right,"
            " and whether the farm is older or newer than this engine"
        )


class AuthorityUnusableError(InvalidInputError):
    """A root certificate is text in PEM."""

    code = "authority-unusable"

    def __init__(self) -> None:
        super().__init__(
            "what was given as the farm's root certificate is none: give its ca.pem with --ca"
        )


class FarmUrlInvalidError(InvalidInputError):
    """The address of a farm is a URL that begins with https:// or http://."""

    code = "farm-url-invalid"

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} is not the address of a farm: write https://HOST:PORT")


class FetchFailedError(TryAgainError):
    """A version could not be fetched in full; what has come stays."""

    code = "fetch-failed"

    def __init__(self, why: str, reason: str) -> None:
        super().__init__(reason)
        self.why = why


class FetchCancelledError(TryAgainError):
    """A fetch was told to end; what has come stays."""

    code = "fetch-cancelled"

    def __init__(self) -> None:
        super().__init__("the fetch was told to end; it goes on where it was at the next time")


class StoreUnusableError(EnvironmentFaultError):
    """The chunk store cannot be opened, made or used."""

    code = "store-unusable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the chunk store in {path} cannot be used: {reason}; look at its disk and permissions"
        )


class StateUnusableError(EnvironmentFaultError):
    """The engine's state folder cannot be read or written."""

    code = "state-unusable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the engine's state in {path} cannot be used: {reason}; run as the owner of the"
            " folder, or name another one with --state or CORRAL_ENGINE_STATE"
        )


class ProcessFailedError(EnvironmentFaultError):
    """A virtual machine's process could not be started, or did not do what it was told."""

    code = "process-failed"

    def __init__(self, machine: str, reason: str) -> None:
        super().__init__(f"the virtual machine {machine} cannot be run: {reason}")


class ProgramMissingError(EnvironmentFaultError):
    """A program that the engine needs is not installed."""

    code = "program-missing"

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"the program {program} is missing: apt-get install {package}")


class MachineUnknownError(UnknownThingError):
    """No virtual machine on this computer has the name."""

    code = "machine-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no virtual machine {name!r} on this computer; 'corral-engine machine list'"
            " shows those that there are"
        )


class MachineAmbiguousError(InvalidInputError):
    """Several users have a machine of that image."""

    code = "machine-ambiguous"

    def __init__(self, name: str, keys: tuple[str, ...]) -> None:
        super().__init__(f"{name!r} is one of several machines: name {' or '.join(keys)}")


class MachineTakenError(RefusedError):
    """Machines on one computer have different names."""

    code = "machine-taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a virtual machine {name!r} already: choose another name")


class MachineAssignedError(RefusedError):
    """What a farm has assigned goes when the assignment does."""

    code = "machine-assigned"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was assigned by the farm and is removed when that assignment is; only local"
            " machines are removed here"
        )


class MachineOffError(RefusedError):
    """That can only be done with a machine that runs."""

    code = "machine-off"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the virtual machine {name!r} does not run: 'corral-engine machine start {name}'"
        )


class MachineOnError(RefusedError):
    """That can only be done with a machine that does not run."""

    code = "machine-on"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the virtual machine {name!r} runs or is suspended:"
            f" 'corral-engine machine stop {name}' first"
        )


class SnapshotUnknownError(UnknownThingError):
    """A machine has no snapshot of that name."""

    code = "snapshot-unknown"

    def __init__(self, machine: str, name: str) -> None:
        super().__init__(f"{machine} has no snapshot {name!r}")


class SnapshotsNotKeptError(RefusedError):
    """A shared machine's disk is made anew at each start, so a snapshot of it would not last."""

    code = "snapshots-not-kept"

    def __init__(self, machine: str) -> None:
        super().__init__(
            f"{machine} is a shared machine, whose system disk is made anew at each start:"
            " snapshots are for custom and local machines"
        )


class NothingToPostponeError(RefusedError):
    """There is no restart that could be put off."""

    code = "nothing-to-postpone"

    def __init__(self, machine: str, reason: str) -> None:
        super().__init__(f"no restart of {machine} can be put off: {reason}")


class AgentAwayError(TryAgainError):
    """The agent does not run, or not with this state folder."""

    code = "agent-away"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"no agent runs with the state folder {state}: start it with 'corral-engine serve',"
            " or 'systemctl start corral-engine'"
        )


class AgentTwiceError(RefusedError):
    """One agent, and one disk process, runs with a state folder."""

    code = "agent-twice"

    def __init__(self, state: str, what: str) -> None:
        super().__init__(f"{what} runs with the state folder {state} already")


class AddressUnusableError(EnvironmentFaultError):
    """An address cannot be listened on."""

    code = "address-unusable"

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}; name another with --status")


class KeyUnusableError(EnvironmentFaultError):
    """The computer's private key cannot be read, or others could read it."""

    code = "key-unusable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the computer's key {path} cannot be used: {reason}")
