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
        "devices run or would start a version that no server which takes devices has completely",
        "start or undrain a server that holds it, or 'corral image replicate' it from such a one",
    )
    DEVICE_CANNOT_START = (
        "device-cannot-start",
        Severity.ERROR,
        "a device that has an image would be refused if it logged in now",
        "the message is that of the login; it names what to do",
    )
    EXPORT_REFUSED = (
        "export-refused",
        Severity.ERROR,
        "a server has a version completely and cannot offer it to devices",
        "the message says why; 'corral store verify SERVER' tells whether its store is sound",
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
        "delete what is not needed, then 'corral store collect SERVER', or make the disk larger",
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
    CERTIFICATE_EXPIRED = (
        "certificate-expired",
        Severity.ERROR,
        "the certificate of a server or of the API has ended: nobody who knows the farm connects",
        (
            "restart that process, which gets a new one; one that an administrator gave must be"
            " replaced by hand"
        ),
    )
    ADDRESSES_SHARED = (
        "addresses-shared",
        Severity.ERROR,
        (
            "two servers, or two services of one server, are to be had at one address: only one of"
            " them can be there, and whoever wants the other meets it"
        ),
        (
            "give one of them an address or a port of its own: 'corral server change SERVER' with"
            " --advertise, --advertise-chunks or --management; where a server listens is said when"
            " it is added"
        ),
    )
    RELAY_REFUSES = (
        "relay-release-differs",
        Severity.ERROR,
        (
            "a relay runs another release than the farm, and gives its site neither orders nor"
            " versions: computers go on with what they have"
        ),
        (
            "install the farm's release on it and restart its stream process; 'corral server"
            " maintenance SERVER on' sends its computers to the farm's other servers meanwhile"
        ),
    )
    DATABASE_UNREACHABLE = (
        "database-unreachable",
        Severity.ERROR,
        (
            "the farm's database does not answer, or does not let in the account that runs this"
            " check: nothing can be changed, and nothing else of the farm be looked at"
        ),
        (
            "start the database, correct its host in 'farm.json', or give that account its password"
            " (~/.pgpass, a service file, PGPASSFILE) and make it the owner; devices that run go on"
        ),
    )
    DATABASE_READ_ONLY = (
        "database-read-only",
        Severity.ERROR,
        "the account that runs this check can read the farm's database and not write it",
        "run it as the account of the services, or give that account its rights back",
    )
    FARM_OBSERVES = (
        "farm-observes",
        Severity.ERROR,
        (
            "the farm was restored from a backup, and servers may hold what it does not know: they"
            " keep all of it, and until somebody accepts what differs, changes are refused and"
            " computers get no orders"
        ),
        "'corral farm difference' shows what differs, 'corral farm accept --because TEXT' ends it",
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
    IMAGE_ONLY_SERVER = (
        "image-only-server",
        Severity.WARNING,
        "somebody said that an image may be had from one server only, whoever else holds it",
        "'corral image set IMAGE --only-server none', if it is no longer meant so",
    )
    LOGIN_ONE_ADDRESS = (
        "login-one-address",
        Severity.WARNING,
        "devices can ask at one address only what they start: if that is lost, none starts",
        (
            "give servers a management address ('corral server change SERVER --management') or the"
            " farm a second API, and name both in the devices' 'urls'"
        ),
    )
    RELEASE_WAITS = (
        "release-waits",
        Severity.WARNING,
        "a version is not released, because a server that is silent lacks some of it",
        (
            "start that server, or 'corral image release IMAGE/NUMBER' without it; none waits for"
            " one that is under maintenance ('corral server maintenance'), removed ('corral server"
            " remove'), or silent for a day"
        ),
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
    CERTIFICATE_EXPIRES_SOON = (
        "certificate-expires-soon",
        Severity.WARNING,
        (
            "the certificate of a server or of the API ends within 14 days, though it is renewed"
            " 30 days before"
        ),
        (
            "look at that process's log and whether it reaches the API; an administrator's own must"
            " be replaced by hand"
        ),
    )
    STORE_NEARLY_FULL = (
        "store-nearly-full",
        Severity.WARNING,
        "the file system of a store has less than 20 GiB left",
        "'corral store collect SERVER', or make the disk larger before the next import",
    )
    WRITE_CACHE = (
        "write-cache",
        Severity.WARNING,
        "a device's write cache is nearly full, or is not the one that was configured",
        "restart the device, give it a larger cache, or repair its cache disk",
    )
    BACKUP_MISSING = (
        "backup-missing",
        Severity.WARNING,
        "the farm was never backed up: its database and its signing key are on this disk only",
        "'corral backup set', 'corral backup create', and 'corral backup schedule'",
    )
    BACKUP_OLD = (
        "backup-old",
        Severity.WARNING,
        "the newest backup is older than the farm's rule says",
        "'corral backup create'; 'corral task list --all' tells why the scheduled ones fail",
    )
    NO_WORKER = (
        "no-worker",
        Severity.WARNING,
        (
            "tasks wait or are scheduled, and no worker gives a sign of life: none runs, or none"
            " reaches the database"
        ),
        "'corral serve worker', or look at its log",
    )
    ACCOUNT_REFUSED = (
        "account-refused",
        Severity.ERROR,
        (
            "the database gives a machine's services no new connection by the account that they"
            " are configured with: they go on with what they have, and would not start again"
        ),
        "set the account's password there, or CORRAL_DATABASE_URL where the services start",
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
    MACHINES_TROUBLED = (
        "machines-troubled",
        Severity.WARNING,
        "computers do not get the version of an image that they should, and not by waiting",
        (
            "'corral image users IMAGE' says why of each; 'corral computer retry COMPUTER IMAGE'"
            " has one try again that failed or went back"
        ),
    )
    ENGINES_TROUBLED = (
        "engines-troubled",
        Severity.WARNING,
        "computers could not take the release of the engine that they were given",
        "'corral computer kits COMPUTER' says why; 'corral library retry KIT COMPUTER' tries again",
    )
    SCRUB_STUCK = (
        "scrub-stuck",
        Severity.WARNING,
        "a server cannot go on with the scrub of its store",
        "the message says why; the server tries again each minute",
    )
    SCRUB_OVERDUE = (
        "scrub-overdue",
        Severity.NOTICE,
        (
            "a server has not read all that it keeps for twice as long as its store's policy says:"
            " what has rotted meanwhile is not known"
        ),
        "'corral store scrub SERVER' now, or a higher rate with 'corral store scrub-policy'",
    )
    COMPUTERS_SILENT = (
        "computers-silent",
        Severity.NOTICE,
        "computers have not been heard of for a long time; they run what they had then",
        "'corral computer kill' erases one that is lost at its next contact, 'delete' forgets it",
    )
    COMPUTERS_WAITING = (
        "computers-waiting",
        Severity.NOTICE,
        "computers ask to be registered",
        "'corral computer approve COMPUTER --user USER', or 'corral computer refuse COMPUTER'",
    )
    REPLICA_BEHIND = (
        "replica-behind",
        Severity.NOTICE,
        "a server has not all of a version yet that it should hold",
        "it goes on by itself; 'corral image show' tells how far it is",
    )
    CONNECTIONS_PLAIN = (
        "connections-plain",
        Severity.NOTICE,
        "a server that others reach over a network does not insist on TLS",
        (
            "start its stream process without --plain, with this release; or see that only a tunnel"
            " leads there"
        ),
    )
    IMAGE_PINNED = (
        "image-pinned",
        Severity.NOTICE,
        "devices of an image start a pinned version, whatever is newer",
        "'corral image unpin IMAGE', if it is no longer meant so",
    )
    BALANCE_OFF = (
        "balance-off",
        Severity.NOTICE,
        "the farm moves no devices by itself from servers that bear more than their share",
        "'corral farm balance --automatic', if it is no longer meant so",
    )
    LOAD_UNEVEN = (
        "load-uneven",
        Severity.NOTICE,
        "a server bears so much more than its share that the rules of balance would relieve it",
        (
            "the next automatic round does it; 'corral server rebalance SERVER' does it now, and"
            " with --dry-run says who would move where"
        ),
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
    BACKUP_UNVERIFIED = (
        "backup-unverified",
        Severity.NOTICE,
        "no backup that is kept was ever restored to a scratch place to see whether it can be",
        "'corral backup verify --key FILE'",
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
    devices: tuple[str, ...] = ()
    """All devices that it concerns, where the message names only some of them."""
    computers: tuple[str, ...] = ()
    """The same of computers."""


@dataclass(frozen=True)
class NotApplicable:
    """Something that was not looked at, because there is nothing to look at."""

    check: str
    why: str
