"""What can be wrong with an upgrade that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    DamagedError,
    EditConflictError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    UnknownThingError,
)
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class UpgradeKitInvalidError(InvalidInputError):
    """The farm is upgraded by a kit of the farm's software."""

    code = "upgrade-kit-invalid"

    def __init__(self, name: str, component: str) -> None:
        super().__init__(
            f"{name} is a release of the {component}: the farm is upgraded by one of the farm's own"
            " software; 'corral library list' shows what there is"
        )


class UpgradeTransitionError(RefusedError):
    """An upgrade is moved only as the table in ``domain.upgrade.state`` says."""

    code = "upgrade-transition"

    def __init__(self, state: str, event: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"the upgrade is {state} and cannot take '{event}'; possible is:"
            f" {', '.join(allowed) or 'nothing'}"
        )


class UpgradeUnderWayError(RefusedError):
    """A farm has one upgrade at a time."""

    code = "upgrade-under-way"

    def __init__(self, number: int, state: str, release: str) -> None:
        super().__init__(
            f"upgrade {number} to {release} is {state}: finish it ('corral upgrade finalise'), or"
            " take it back ('corral upgrade roll-back'), before another begins"
        )


class UpgradeUnknownError(UnknownThingError):
    """There is no upgrade of that number."""

    code = "upgrade-unknown"

    def __init__(self, upgrade: str) -> None:
        super().__init__(
            f"there is no upgrade {upgrade}: 'corral upgrade list' shows those that there were"
        )


class NoUpgradeUnderWayError(UnknownThingError):
    """What is under way can be paused, resumed, finalised and rolled back; nothing is."""

    code = "no-upgrade-under-way"

    def __init__(self) -> None:
        super().__init__(
            "no upgrade is under way: 'corral upgrade run KIT' begins one, and 'corral upgrade"
            " list' shows those that there were"
        )


class UpgradeChangedError(EditConflictError):
    """Somebody else has moved the upgrade since it was looked at."""

    code = "upgrade-changed"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"upgrade {number} has moved on since it was looked at: 'corral upgrade status' shows"
            " where it is"
        )


class BlueprintSupersededError(EditConflictError):
    """A step is adopted only as the successor of the newest one."""

    code = "blueprint-superseded"

    def __init__(self, generation: int) -> None:
        super().__init__(
            f"step {generation} of the farm's upgrades was decided by somebody else in the"
            " meantime: the farm is looked at anew"
        )


class UpgradeHinderedError(RefusedError):
    """An upgrade begins only if nothing is in the way that nobody has accepted."""

    code = "upgrade-hindered"

    def __init__(self, kit: str, hindrances: Sequence[str]) -> None:
        super().__init__(
            f"the farm is not upgraded by {kit}: {'; '.join(hindrances)}. 'corral upgrade check"
            f" {kit}' lists each with its way out"
        )


class ConsolesTooOldError(RefusedError):
    """An upgrade is finalised when nobody works with a command line that would be refused then.

    Each is known by who used it on which machine, and by the release that was used there last.
    """

    code = "consoles-too-old"

    def __init__(self, risk: str, consoles: Sequence[str]) -> None:
        super().__init__(
            f"the upgrade is not finalised while these work with an older command line:"
            f" {some_of(consoles)}. Install the new release there and use it once, or accept"
            f" '{risk} console WHO' for each: 'corral upgrade accept'"
        )


class RiskInvalidError(InvalidInputError):
    """A risk is accepted by its name, until a day to come, with a reason."""

    code = "risk-invalid"

    def __init__(self, risk: str, rule: str) -> None:
        super().__init__(f"the risk {risk!r} cannot be accepted: {rule}")


class AcceptanceUnknownError(UnknownThingError):
    """Nobody has accepted that risk."""

    code = "acceptance-unknown"

    def __init__(self, risk: str) -> None:
        super().__init__(
            f"nobody has accepted {risk!r}: 'corral upgrade risks' lists what was accepted"
        )


class ReleaseProgramError(EnvironmentFaultError):
    """A release's own program changes the schema; it could not."""

    code = "release-program-failed"

    def __init__(self, release: object, what: str, reason: str) -> None:
        super().__init__(
            f"release {release} could not {what} the schema: {reason}. It does no harm to try"
            " again: 'corral upgrade resume'"
        )


class SchemaBehindError(EnvironmentFaultError):
    """A database that several machines share is not changed by the first that opens it.

    The release needs a newer schema than is there. `corral upgrade` brings it as one of its steps,
    `corral schema expand` by hand; the older release goes on with it.
    """

    code = "schema-behind"

    @classmethod
    def at(cls, revision: str, needs: str) -> SchemaBehindError:
        """Say what is there and what is needed."""
        return cls(
            f"the farm's database is at revision {revision}, and this release needs {needs}: bring"
            " it there with 'corral upgrade', or by hand with 'corral schema expand'; the older"
            " release goes on with it"
        )

    @classmethod
    def by_contract(cls, revision: str, needs: str, contract: str) -> SchemaBehindError:
        """Say that an earlier upgrade was never finalised."""
        return cls(
            f"the farm's database is at revision {revision}, and this release needs {needs}, behind"
            f" {contract}, with which the upgrade before it is finalised: finalise that one first,"
            " or by hand with 'corral schema contract', then 'corral schema expand'"
        )


class SchemaDamagedError(DamagedError):
    """What a database says of its schema is what no release of Corral has ever written."""

    code = "schema-damaged"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the schema of the farm's database cannot be told: {what}; restore the database from a"
            " backup ('corral backup restore'), or name another one"
        )


class ConsoleTooOldError(EnvironmentFaultError):
    """The farm was upgraded, and says that older command lines may not be used on it any more."""

    code = "console-too-old"

    def __init__(self, release: str, oldest: str) -> None:
        super().__init__(
            f"this is the command line of release {release}, and the farm takes commands from"
            f" {oldest} on: upgrade the package on this machine, or use a machine that has it"
        )


class SchemaInUseError(RefusedError):
    """What older releases need is taken from the database only when it is said that it may.

    There is no way back after it but a backup. An upgrade that is finalised has seen by itself that
    nobody runs an older release.
    """

    code = "schema-in-use"

    def __init__(self, release: str, others: Sequence[str]) -> None:
        seen = (
            f"these servers were not last seen at release {release}: {', '.join(others)}"
            if others
            else f"every server was last seen at release {release}"
        )
        super().__init__(
            f"a contract step ends the way back to the release before, and {seen}; if that may be,"
            " say --yes"
        )


class SchemaScriptInvalidError(InvalidInputError):
    """A script leads from one step that this release knows to a later one.

    Steps before 0031 need a database at hand: they are of releases that shared none.
    """

    code = "schema-script-invalid"

    def __init__(self, first: str, last: str, why: str) -> None:
        super().__init__(
            f"there is no script from {first} to {last}: {why}; 'corral schema show' names the"
            " steps"
        )
