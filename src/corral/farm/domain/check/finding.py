"""What the farm check can find. The table of the reference is made from this one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    ERROR = "error"
    """Something does not work, or will not when it is needed."""
    WARNING = "warning"
    """Everything works, but one more fault would be felt."""
    NOTICE = "notice"
    """Worth knowing before something is begun."""


class Kind(Enum):
    """A kind of finding: its code, how bad it is, what it means, the way out."""

    VERSION_UNSERVED = (
        "version-unserved",
        Severity.ERROR,
        "devices run or would start a version that no online server can serve completely",
        "start a server that holds it, or 'corral image replicate' it from one that does",
    )
    DEVICE_CANNOT_START = (
        "device-cannot-start",
        Severity.ERROR,
        "a device that has an image would be refused if it logged in now",
        "the message is that of the login; it names what to do",
    )
    REPLICA_DAMAGED = (
        "replica-damaged",
        Severity.ERROR,
        "a server's replica of a version in use has damaged or missing chunks",
        "'corral store heal SERVER'",
    )
    OVERLAY_FAILED = (
        "overlay-failed",
        Severity.ERROR,
        "what a device writes on a server cannot be kept, or has no more room",
        "make room on that server, raise the limit, or restart the device with a new overlay",
    )
    STORE_FULL = (
        "store-full",
        Severity.ERROR,
        "the file system of a store has less than 2 GiB left",
        "'corral store collect' versions that are not needed, or make the disk larger",
    )
    CLOCK_WRONG = (
        "clock-wrong",
        Severity.ERROR,
        (
            "a server's clock differs from the farm's by five minutes or more: tickets are taken"
            " for expired, or for valid when they are not"
        ),
        "set the clock of that machine, or the farm's; let both follow a time server",
    )
    DATABASE_READ_ONLY = (
        "database-read-only",
        Severity.ERROR,
        "the account that runs this check can read the farm's database and not write it",
        "run it as the account of the services, or give that account its rights back",
    )
    SERVER_SILENT = (
        "server-silent",
        Severity.WARNING,
        "a server has not reported lately; it counts as lost for safety and as present for danger",
        "look at its machine, its stream process and the network between it and the API",
    )
    LOSS_STRANDS = (
        "loss-strands-devices",
        Severity.WARNING,
        "devices would have no server if this one were lost",
        "replicate what they run to further servers, or give those more room",
    )
    VERSION_ON_ONE_SERVER = (
        "version-on-one-server",
        Severity.WARNING,
        "a version in use can be served by one server only",
        "'corral image replicate IMAGE/NUMBER --to SERVER'",
    )
    DEVICE_ONE_SERVER = (
        "device-one-server",
        Severity.WARNING,
        "a device's login would name a single server that it can reach",
        "replicate its version, or widen its subnets or the servers' limits",
    )
    REPLICA_STUCK = (
        "replica-stuck",
        Severity.WARNING,
        "a server cannot go on with a replica by itself",
        "the message says why",
    )
    CLOCK_DRIFTS = (
        "clock-drifts",
        Severity.WARNING,
        "a server's clock differs from the farm's by 30 seconds or more",
        "let both follow a time server",
    )
    STORE_NEARLY_FULL = (
        "store-nearly-full",
        Severity.WARNING,
        "the file system of a store has less than 20 GiB left",
        "'corral store collect', or make the disk larger before the next import",
    )
    WRITE_CACHE = (
        "write-cache",
        Severity.WARNING,
        "a device's write cache is nearly full, or is not the one that was configured",
        "restart the device, give it a larger cache, or repair its cache disk",
    )
    UNKNOWN_SESSIONS = (
        "unknown-sessions",
        Severity.WARNING,
        (
            "a server streams to devices that the farm does not know: they were removed, and their"
            " tickets last"
        ),
        "shut those machines down; their tickets end within seven days",
    )
    REPLICA_BEHIND = (
        "replica-behind",
        Severity.NOTICE,
        "a server has not all of a version yet that it should hold",
        "it goes on by itself; 'corral image show' tells how far it is",
    )
    IMAGE_PINNED = (
        "image-pinned",
        Severity.NOTICE,
        "devices of an image start a pinned version, whatever is newer",
        "'corral image unpin IMAGE', if it is no longer meant so",
    )
    SERVER_MAINTENANCE = (
        "server-maintenance",
        Severity.NOTICE,
        "a server is under maintenance and gets no devices",
        "'corral server maintenance SERVER off' when the work is done",
    )
    SERVER_DRAINING = (
        "server-draining",
        Severity.NOTICE,
        "a server is drained and gets no devices",
        "'corral server undrain SERVER' when the work is done",
    )
    BACKUP_MISSING = (
        "backup-missing",
        Severity.NOTICE,
        "the farm knows of no backup of its database and its key",
        "make one by hand as the guide says; the farm cannot see how old it is",
    )

    def __init__(self, code: str, severity: Severity, meaning: str, way_out: str) -> None:
        self.code = code
        self.severity = severity
        self.meaning = meaning
        self.way_out = way_out


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    thing: str
    """What it is about: ``server s1``, ``device pc1``, ``version debian/3``, ``farm``."""
    message: str


@dataclass(frozen=True)
class NotApplicable:
    """Something that was not looked at, because there is nothing to look at."""

    check: str
    why: str
