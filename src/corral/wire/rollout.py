"""Rollouts, as people's tools see them.

What is asked for is read strictly: a limit under a name that nobody knows is refused, for it would
be one that nobody keeps.
"""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from corral.wire.estate import Revision
from corral.wire.message import FORMAT, Message, Name, Part

Count = Annotated[int, Field(ge=0)]
Why = Annotated[str, Field(max_length=1024)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class GateTerms(_Strict):
    """What a wave has to show before the next one begins; what is left out is as usual."""

    min_sample: Count = 1
    min_proven_percent: Count = 80
    max_failures: Count = 0
    max_failed_percent: Count = 10
    soak_seconds: Count = 3600


class WaveTerms(_Strict):
    """A wave: a share of all machines, or names of its own."""

    name: Annotated[str, Field(max_length=63)]
    upto_percent: Count | None = None
    """Of all machines, with the waves before it."""
    ring: Annotated[list[str], Field(max_length=4096)] = []
    """Names of computers, users or user groups."""
    gate: GateTerms = GateTerms()


class HealthTerms(_Strict):
    """How much worse than before a machine may be; null where that is not to be looked at."""

    boot_percent: Count | None = 200
    boot_slack_seconds: Count = 10
    extra_restarts: Count | None = 3


class RolloutTerms(_Strict):
    """In which waves, and how each machine and each wave is judged."""

    waves: Annotated[list[WaveTerms], Field(max_length=32)]
    health: HealthTerms = HealthTerms()
    silent_after_seconds: Count = 86_400
    """A machine that was offered it and is silent for so long counts as unknown."""


class NewRollout(_Strict):
    """What is to be rolled out, and how."""

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    name: Name
    version: Annotated[str, Field(max_length=512)] | None = None
    """A version in test, such as ``debian/3``; or else:"""
    kit: Annotated[str, Field(max_length=255)] | None = None
    """A kit of the engine, by its name in the library."""
    terms: RolloutTerms | None = None
    """Left out: standard waves and limits."""


class RolloutMove(_Strict):
    """Why it is paused, stopped or taken back."""

    why: Why = ""


class RolloutResume(_Strict):
    """Whether what failed so far was looked at, and counts no more."""

    accept_failures: bool = False


class RolloutRetry(_Strict):
    """Which machines are to be tried again; none named: all that failed or went back."""

    machines: Annotated[list[str], Field(max_length=4096)] = []
    """By their ids."""


class RolloutWave(Part):
    """A wave with what its gate says."""

    name: str
    upto_percent: int | None
    ring: tuple[str, ...]
    min_sample: int
    min_proven_percent: int
    max_failures: int
    max_failed_percent: int
    soak_seconds: int
    verdict: str
    """``pass``, ``fail`` or ``inconclusive``."""
    reasons: tuple[str, ...]
    machines: Count
    waiting: Count
    pending: Count
    silent: Count
    """Offered it, and not heard of for too long."""
    proven: Count
    failed: Count
    returned: Count
    failures: Count
    """That nobody has accepted, ever."""


class RolloutItem(Part):
    """A rollout."""

    id: UUID
    name: str
    kind: str
    """``version`` or ``kit``."""
    of: str
    """What is rolled out."""
    digest: str
    state: str
    why: str
    started_at: AwareDatetime
    started_by: str
    changed_at: AwareDatetime | None
    machines: Count
    proven: Count
    failures: Count
    waves: tuple[RolloutWave, ...]
    silent_after_seconds: int
    revision: Revision


class RolloutList(Message):
    """Rollouts, the first to begin first."""

    rollouts: tuple[RolloutItem, ...]
    total: int
    next: str | None = None


class RolloutMember(Part):
    """A machine in a rollout."""

    id: str
    computer: str
    user: str
    """Empty of a computer that is given a kit."""
    wave: str
    state: str
    attempt: int
    offered_at: AwareDatetime | None
    seen_at: AwareDatetime | None
    attested_at: AwareDatetime | None
    """Since when it was seen to run it, without a break."""
    failures: Count
    accepted: Count
    code: str
    problem: str
    why_not: str
    """Why it is not offered it: one of a closed list."""
    why_not_text: str
    """The same for people, with the wave or the fact."""


class RolloutDetails(Message):
    """A rollout as it is now, with every machine."""

    rollout: RolloutItem
    open_waves: Count
    members: tuple[RolloutMember, ...]


class PlannedWave(Part):
    """A wave as it would be."""

    name: str
    machines: tuple[str, ...]
    """``COMPUTER`` or ``COMPUTER/USER``."""


class RolloutPlan(Message):
    """What would begin."""

    of: str
    waves: tuple[PlannedWave, ...]
    in_none: tuple[str, ...]
    """Machines that would be offered nothing."""


class KitComputer(Part):
    """A computer beside a kit."""

    computer: str
    assigned: bool
    running: str | None
    """The release of its engine at the last check-in."""
    upgrade: str
    """One of a closed list: none, current, blocked, pending, signalled, installed, went-back,
    failed."""
    detail: str
    seen_at: AwareDatetime | None
    done_bytes: int
    total_bytes: int
    code: str
    text: str


class KitComputers(Message):
    """Every computer beside a kit."""

    kit: str
    computers: tuple[KitComputer, ...]


class ComputerKit(Part):
    """A kit beside a computer."""

    kit: str
    release: str
    assigned: bool
    upgrade: str
    detail: str
    code: str
    text: str


class ComputerKits(Message):
    """Every kit of the engine beside a computer."""

    computer: str
    kits: tuple[ComputerKit, ...]


class KitReceivers(Message):
    """Computers that are to be given a kit, or not any more."""

    computers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4096)]


class KitRetry(Message):
    """A computer that is to try a kit again."""

    computer: Name
