"""Everything that can be in the way of an upgrade, or of one of its steps: one list of codes.

Each is also a guard: a step is taken only if none of them stands in its way. The tests switch each
of them off, alone and in pairs, and something must then go wrong.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class Ends(StrEnum):
    """What ends an obstacle."""

    PERSON = "person"
    """Somebody does something about it."""
    ACCEPTED = "accepted"
    """The same, or somebody takes the risk upon themselves until a date."""
    ITSELF = "itself"
    """Nothing but the upgrade going on: it is waited for."""


class Obstacle(Enum):
    """Everything that can be in the way: its code, what it means, what ends it."""

    WAIT_FOR_EACH_OTHER = (
        "wait-for-each-other",
        "two things that are in the way wait for each other, so that neither ends by itself",
        "end one of them by hand; the message names the circle",
        Ends.PERSON,
    )
    DATABASE_UNREACHABLE = (
        "database-unreachable",
        "the farm's database does not answer, so that nothing is known and nothing can be ordered",
        "start the database; devices that run go on meanwhile",
        Ends.PERSON,
    )
    FARM_RESTORED = (
        "farm-restored",
        (
            "the farm was restored from a backup after the upgrade began, and servers may be"
            " further than the backup knows"
        ),
        (
            "accept what differs first ('corral farm difference', 'corral farm accept'); compare"
            " what servers run with what 'corral upgrade status' says, then accept this, too"
        ),
        Ends.ACCEPTED,
    )
    UPGRADE_PAUSED = (
        "upgrade-paused",
        "the upgrade was paused, and no step begins",
        "'corral upgrade resume' goes on, 'corral upgrade roll-back' goes back",
        Ends.PERSON,
    )
    ORDER_FAILED = (
        "order-failed",
        "a server could not do what it was ordered to",
        "look at the server; 'corral upgrade resume' orders it anew, 'roll-back' goes back",
        Ends.PERSON,
    )
    CANARY_FAILED = (
        "canary-failed",
        "what was read through a server that was switched is not what it should be",
        "look at the server; 'corral upgrade resume' reads again, 'roll-back' goes back",
        Ends.PERSON,
    )
    SCHEMA_STEP_FAILED = (
        "schema-step-failed",
        "the schema of the database could not be changed",
        "look at the database; 'corral upgrade resume' tries again",
        Ends.PERSON,
    )
    RELEASE_UNORDERED = (
        "release-unordered",
        "a server changed its release, and the upgrade had not ordered it to",
        "find out who did it; once it is accepted, the server is taken as it is",
        Ends.ACCEPTED,
    )
    RELEASE_FOREIGN = (
        "release-foreign",
        "a server runs a release that is neither the one before the upgrade nor the one after it",
        "find out who did it; once it is accepted, the server is taken to the wanted release",
        Ends.ACCEPTED,
    )
    RELEASE_NEWER = (
        "release-newer",
        "a server runs a release of its own that is newer than the wanted one",
        "bring it to the wanted release by hand: nothing is taken down to an older one by itself",
        Ends.PERSON,
    )
    RELEASE_UNKNOWN = (
        "release-unknown",
        "a server does not say which release it runs",
        "upgrade it by hand; if it is accepted, it is taken for one that was not upgraded",
        Ends.ACCEPTED,
    )
    SERVER_SILENT = (
        "server-silent",
        "a server has not been heard of lately: nobody knows what it does",
        "start it, or remove it from the farm",
        Ends.ACCEPTED,
    )
    RELEASE_FORBIDDEN = (
        "release-forbidden",
        "a fact forbids the step from the farm's release to this one",
        "the message says which fact, and what to upgrade to first",
        Ends.PERSON,
    )
    SCHEMA_FACT_MISSING = (
        "schema-fact-missing",
        "a release does not say which schema it needs, or knows",
        "import a kit of that release which says so; if it is accepted, it is taken to fit",
        Ends.ACCEPTED,
    )
    SCHEMA_UNREADABLE = (
        "schema-unreadable",
        "a release could not work on the schema of the database as it is, or would become",
        "the message says which schema it is; upgrade through a release in between",
        Ends.PERSON,
    )
    SERVERS_BEHIND = (
        "servers-behind",
        "a server runs a stream process that the new release does not direct",
        "upgrade through a release in between",
        Ends.PERSON,
    )
    COMPUTERS_BEHIND = (
        "computers-behind",
        (
            "computers could not run what the upgraded farm publishes, or not talk to it, as they"
            " were when they were last heard of"
        ),
        (
            "give each a newer engine with 'corral library assign' or a rollout and wait until it"
            " runs there; delete those that will not come back"
        ),
        Ends.ACCEPTED,
    )
    COMPUTERS_AHEAD = (
        "computers-ahead",
        "computers have engines that do not understand the release which is gone back to",
        "give each an older engine, or accept that they wait until the farm is upgraded again",
        Ends.ACCEPTED,
    )
    TARGETS_BEHIND = (
        "targets-behind",
        "a device streams with a client that the new release does not know, or nobody knows",
        "start the device with a newer client",
        Ends.ACCEPTED,
    )
    CONSOLES_BEHIND = (
        "consoles-behind",
        "somebody has lately worked with a command line that the new release does not answer",
        "install the new release where they work and use it once; they are upgraded last",
        Ends.ACCEPTED,
    )
    FARM_UNSOUND = (
        "farm-unsound",
        "the farm check has found errors, such as a device that would not survive a server's loss",
        "'corral farm check' lists them with their ways out",
        Ends.ACCEPTED,
    )
    PORT_UNREACHABLE = (
        "port-unreachable",
        (
            "nobody answers at an address at which a server that lives is said to be: devices,"
            " other servers or the canary would not reach it"
        ),
        (
            "look at the server's log and at what filters the network; 'corral server change' says"
            " where else it is"
        ),
        Ends.ACCEPTED,
    )
    PRE_ACTION_OPEN = (
        "pre-action-open",
        "the release asks for something before anything is disturbed, and it is not known as done",
        (
            "the message says what and why; that it is done which no program sees is said by"
            " accepting it"
        ),
        Ends.ACCEPTED,
    )
    BACKUP_LACKING = (
        "backup-lacking",
        (
            "no backup of the last 24 hours was restored to a scratch place and found good; it is"
            " of the farm's database and folder, for servers and relays keep nothing but copies"
        ),
        "'corral backup create', then 'corral backup verify --key FILE'",
        Ends.PERSON,
    )
    BACKUP_UNREAD = (
        "backup-unread",
        (
            "the backup that would be gone back to was not read by the programs of the new release,"
            " which expand what was restored of it and read every record"
        ),
        "'corral backup verify --key FILE --by KIT-FILE', on a machine with the key and the kit",
        Ends.ACCEPTED,
    )
    TASK_ACTIVE = (
        "task-active",
        "a task is running, queued or paused, of whatever age",
        "'corral task watch NUMBER' waits for it; 'corral task cancel NUMBER' says what it leaves",
        Ends.ACCEPTED,
    )
    ROLLOUT_UNDER_WAY = (
        "rollout-under-way",
        "machines are being given something else: what goes wrong then would have two causes",
        "wait until it is complete, or 'corral rollout stop ROLLOUT'",
        Ends.ACCEPTED,
    )
    KIT_NOT_STAGED = (
        "kit-not-staged",
        "a server has not got all of the kit on its own disk",
        "'corral image replicate VERSION --to SERVER --wait' with the kit's version",
        Ends.PERSON,
    )
    SERVER_UNSUPERVISED = (
        "server-unsupervised",
        "nothing runs on a server that could install and switch releases",
        "run its services by the supervisor, or upgrade it by hand and accept that",
        Ends.PERSON,
    )
    SERVER_IN_MAINTENANCE = (
        "server-in-maintenance",
        "somebody works on a server",
        "'corral server maintenance SERVER off', or remove it from the farm",
        Ends.PERSON,
    )
    DRAINED_BY_HAND = (
        "drained-by-hand",
        "somebody drained a server, not the upgrade",
        "'corral server undrain SERVER'; if it is accepted, the upgrade takes it from there",
        Ends.ACCEPTED,
    )
    WAY_BACK_MISSING = (
        "way-back-missing",
        "the release that is gone back to if this one is wrong does not lie on the server",
        "import its kit and replicate it to the server, which then lays it out",
        Ends.PERSON,
    )
    DEVICES_STRANDED = (
        "devices-stranded",
        "devices of a server have no other server with all their bytes and room for them",
        "replicate what they run, give other servers more room, or shut these devices down",
        Ends.PERSON,
    )
    DEVICES_AT_RISK = (
        "devices-at-risk",
        "devices of a server would have no server if one more were lost while this one is out",
        "replicate what they run to a further server, or give those more room",
        Ends.ACCEPTED,
    )
    STEP_OVERDUE = (
        "step-overdue",
        "a step was begun long ago, and has not been seen to end",
        "look at the server, and at the worker that is named",
        Ends.PERSON,
    )
    NOT_HEARD_SINCE = (
        "not-heard-since",
        "what a server said last is older than the last step that it was given",
        "its next report ends it",
        Ends.ITSELF,
    )
    STEP_UNDER_WAY = (
        "step-under-way",
        "a step was begun and has not been seen to end",
        "it ends by itself, or the server says why not",
        Ends.ITSELF,
    )
    NOT_READY = (
        "not-ready",
        "a server's release has not passed its self-test since it was started",
        "it does, or its supervisor goes back",
        Ends.ITSELF,
    )
    UNVERIFIED = (
        "unverified",
        "nothing was read yet through a server that was switched",
        "a device's reads through it are compared first",
        Ends.ITSELF,
    )
    NOT_INSTALLED = (
        "not-installed",
        "the release does not lie on every server yet",
        "it is laid out everywhere before anything is disturbed",
        Ends.ITSELF,
    )
    SCHEMA_BEHIND = (
        "schema-behind",
        "the schema has not got yet what the release needs",
        "it is expanded first",
        Ends.ITSELF,
    )
    DEVICES_STILL_THERE = (
        "devices-still-there",
        "devices of a drained server have not all left it",
        "they leave by themselves, within seconds, as soon as another server is there for them",
        Ends.ITSELF,
    )
    REDUNDANCY_SPENT = (
        "redundancy-spent",
        "another server is out, or nobody knows how it is: one at a time",
        "it is brought back first; one that was lost is started, or removed from the farm",
        Ends.ITSELF,
    )
    FIRST_ONES_FIRST = (
        "first-ones-first",
        "servers that were named to be first do not serve the release yet",
        "they come first",
        Ends.ITSELF,
    )
    RELAYS_FIRST = (
        "relays-first",
        "a relay serves that would not fit to the farm after the step",
        "it is told to rest first",
        Ends.ITSELF,
    )
    RELAY_DIFFERS = (
        "relay-release-differs",
        "a relay does not fit to the release that servers run, and gives its site nothing",
        "it serves again when the servers are through",
        Ends.ITSELF,
    )
    NOT_ALL_THERE = (
        "not-all-there",
        "not every server and relay is seen to serve the wanted release",
        "they are brought there one after the other",
        Ends.ITSELF,
    )
    SOAKING = (
        "soaking",
        "everything runs the new release, and has not for long",
        "time",
        Ends.ITSELF,
    )

    def __init__(self, code: str, meaning: str, way_out: str, ends: Ends) -> None:
        self.code = code
        self.meaning = meaning
        self.way_out = way_out
        self.ends = ends
        self.can_be_accepted = ends is Ends.ACCEPTED
        """Whether somebody can take the risk upon themselves."""
