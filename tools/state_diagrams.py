"""Write the pages of transition tables in docs/reference; ``--check`` only compares."""

import ast
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from corral.farm.domain.image import standing
from corral.farm.domain.image.standing import TRANSITIONS, Standing, VersionEvent
from corral.farm.domain.library import assignment, item, manifest
from corral.farm.domain.library.assignment import Upgrade
from corral.farm.domain.library.item import ItemEvent, ItemKind, ItemState
from corral.farm.domain.library.manifest import FarmManifest, SchemaFacts
from corral.farm.domain.rollout import gate, member, plan, state
from corral.farm.domain.rollout.gate import Reason
from corral.farm.domain.rollout.member import MemberEvent, MemberState
from corral.farm.domain.rollout.plan import WhyNot
from corral.farm.domain.rollout.state import RolloutEvent, RolloutState
from corral.farm.domain.supervision import stage
from corral.farm.domain.supervision.stage import Event, Stage
from corral.farm.domain.upgrade import adoption, blueprint
from corral.farm.domain.upgrade import state as upgrade_state
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.state import UpgradeEvent, UpgradeState

REFERENCE: Final = Path(__file__).parent.parent / "docs" / "reference"
PAGE: Final = REFERENCE / "versions.md"
ROLLOUTS_PAGE: Final = REFERENCE / "rollouts.md"
LIBRARY_PAGE: Final = REFERENCE / "library.md"
UPGRADES_PAGE: Final = REFERENCE / "upgrade.md"
RELEASES_PAGE: Final = REFERENCE / "server-releases.md"

HEAD: Final = """\
# Where a version can stand

Written by `tools/state_diagrams.py` from the table in `corral.farm.domain.image.standing`, by which
every command is checked; change that, then run it. What is not in the table is refused with
`version-transition`.
"""

ROLLOUTS_HEAD: Final = """\
# How far a rollout is

Written by `tools/state_diagrams.py` from the tables in `corral.farm.domain.rollout`, by which every
command and every check-in is judged; change those, then run it. What is not in the first table is
refused with `rollout-transition`, what is not in the second with `rollout-member-transition`.
[Why it is so](../explanation/rollouts.md) is told elsewhere.
"""


LIBRARY_HEAD: Final = """\
# The library

Written by `tools/state_diagrams.py` from the tables in `corral.farm.domain.library`; change those,
then run it. What is not in the table is refused with `library-item-transition`.
[How a kit is built and imported](../how-to/import-a-kit.md) is told elsewhere, and
[its file](../formats/kit.md) is drawn byte by byte.
"""


UPGRADES_HEAD: Final = """\
# How far an upgrade of the farm is

Written by `tools/state_diagrams.py` from the tables in `corral.farm.domain.upgrade`, by which every
command and every step is judged; change those, then run it. What is not in the table is refused
with `upgrade-transition`. [Why it is so](../explanation/upgrades.md) is told elsewhere, and
[what can be in the way](upgrade-check.md) has a list of its own.
"""


RELEASES_HEAD: Final = """\
# How far a server's change of releases is

Written by `tools/state_diagrams.py` from the table in `corral.farm.domain.supervision`, by which
every order is carried out; change that, then run it. What is not in the table is refused with
`supervision-transition`. [How a machine is set up](../how-to/keep-releases-side-by-side.md) is told
elsewhere.
"""


@dataclass(frozen=True)
class Machine:
    """A transition table with what is said about it."""

    module: ModuleType
    states: type[StrEnum]
    events: type[StrEnum]
    table: Mapping[tuple[Any, Any], StrEnum]
    begins: tuple[tuple[StrEnum, str], ...]
    ends: tuple[StrEnum, ...]
    word: str
    """What the states are called."""

    def lines(self) -> list[str]:
        """Give the diagram, the states and the moves."""
        said = docstrings(self.module, self.states)
        found = ["```mermaid", *self._diagram(), "```", "", f"## {self.word}s", ""]
        found += [f"| {self.word.lower()} | meaning |", "|---|---|"]
        found += [f"| {one} | {said.get(one.name, '')} |" for one in self.states]
        found += ["", "## Moves", "", "| from | event | to |", "|---|---|---|"]
        found += [
            f"| {before} | {event} | {after} |" for (before, event), after in self.table.items()
        ]
        said = docstrings(self.module, self.events)
        told = [f"- **{one}**: {said[one.name]}" for one in self.events if one.name in said]
        return [*found, "", *told]

    def _diagram(self) -> list[str]:
        arrows = [
            f"    {before} --> {after}: {event}" for (before, event), after in self.table.items()
        ]
        return [
            "stateDiagram-v2",
            *(f"    [*] --> {first}: {by}" for first, by in self.begins),
            *arrows,
            *(f"    {last} --> [*]" for last in self.ends),
        ]


VERSIONS: Final = Machine(
    standing,
    Standing,
    VersionEvent,
    TRANSITIONS,
    ((Standing.MAINTENANCE, "seal an overlay"), (Standing.PENDING, "import")),
    (Standing.DELETED,),
    "Standing",
)
ROLLOUTS: Final = Machine(
    state,
    RolloutState,
    RolloutEvent,
    state.TRANSITIONS,
    ((RolloutState.RUNNING, "start"),),
    (RolloutState.TAKEN_BACK,),
    "State",
)
MEMBERS: Final = Machine(
    member,
    MemberState,
    MemberEvent,
    member.TRANSITIONS,
    ((MemberState.WAITING, "join"),),
    (MemberState.GONE,),
    "State",
)


ITEMS: Final = Machine(
    item,
    ItemState,
    ItemEvent,
    item.TRANSITIONS,
    ((ItemState.IMPORTING, "begin"),),
    (ItemState.REMOVED,),
    "State",
)


UPGRADES: Final = Machine(
    upgrade_state,
    UpgradeState,
    UpgradeEvent,
    upgrade_state.TRANSITIONS,
    ((UpgradeState.RUNNING, "start"),),
    (UpgradeState.DONE, UpgradeState.ROLLED_BACK),
    "State",
)


def render_upgrades() -> str:
    """Give the page of upgrades."""
    lines = [UPGRADES_HEAD, *UPGRADES.lines(), "", "## Steps", ""]
    lines += ["One is taken, then the farm is looked at anew.", ""]
    said = docstrings(blueprint, StepKind)
    lines += ["| step | what is done |", "|---|---|"]
    lines += [f"| {one} | {said[one.name]} |" for one in StepKind]
    lines += ["", "## Why a planned step is not adopted", "", "The whole list.", ""]
    lines += ["| code | meaning |", "|---|---|"]
    lines += [f"| `{one.code}` | {one.meaning} |" for one in adoption.WhyNot]
    return "\n".join(lines) + "\n"


RELEASES: Final = Machine(
    stage, Stage, Event, stage.TRANSITIONS, ((Stage.SETTLED, "first start"),), (), "Stage"
)


def render_releases() -> str:
    """Give the page of releases on servers."""
    return "\n".join([RELEASES_HEAD, *RELEASES.lines()]) + "\n"


def render_library() -> str:
    """Give the page of the library."""
    lines = [LIBRARY_HEAD, "## Kinds", ""]
    said = docstrings(item, ItemKind)
    lines += ["| kind | meaning |", "|---|---|"]
    lines += [f"| {one} | {said[one.name]} |" for one in ItemKind]
    lines += ["", "## From an import on", "", *ITEMS.lines(), ""]
    said = docstrings(assignment, Upgrade)
    lines += ["## How far a computer is with a kit", "", "The whole list.", ""]
    lines += ["| upgrade | meaning |", "|---|---|"]
    lines += [f"| {one} | {said.get(one.name, '')} |" for one in Upgrade]
    lines += ["", *_farm_facts()]
    return "\n".join(lines) + "\n"


def _farm_facts() -> Iterable[str]:
    yield "## What a release of the farm says of itself"
    yield ""
    yield "In the manifest of its kit; whether it may be upgraded to follows from it, and in which"
    yield "order. All but the image format may be left out. Nothing but these fields is taken."
    yield ""
    yield "| field | meaning |"
    yield "|---|---|"
    said = docstrings(manifest, FarmManifest)
    names = {"image_format": "publishes_image_format", "guest_tools": "publishes_guest_tools"}
    for one, meaning in said.items():
        yield f"| `{names.get(one, one)}` | {meaning} |"
        if one == "schema":
            for part, more in docstrings(manifest, SchemaFacts).items():
                yield f"| `schema.{part}` | {more} |"


def render() -> str:
    """Give the page of versions."""
    return "\n".join([HEAD, *VERSIONS.lines()]) + "\n"


def render_rollouts() -> str:
    """Give the page of rollouts."""
    lines = [ROLLOUTS_HEAD, "# Of a rollout", "", *ROLLOUTS.lines(), ""]
    lines += ["# Of a machine in it", "", *MEMBERS.lines(), ""]
    lines += ["# Why a machine is not offered it", "", "The whole list.", ""]
    said = docstrings(plan, WhyNot)
    lines += ["| why not | meaning |", "|---|---|"]
    lines += [f"| {one} | {said.get(one.name, '')} |" for one in WhyNot]
    lines += ["", "# Why a gate does not pass", ""]
    lines += _reasons()
    return "\n".join(lines) + "\n"


def _reasons() -> Iterable[str]:
    limits = docstrings(gate, gate.Gate)
    yield "| limit of a gate | meaning |"
    yield "|---|---|"
    yield from (f"| {name} | {limits[name]} |" for name in limits)
    yield ""
    yield from (f"- {one}" for one in Reason)


def docstrings(module: ModuleType, kind: type) -> dict[str, str]:
    """Read the text under each member or field: Python itself forgets it."""
    found: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            for one, text in zip(node.body, node.body[1:], strict=False):
                if not isinstance(one, ast.Assign | ast.AnnAssign) or not isinstance(
                    text, ast.Expr
                ):
                    continue
                name = one.targets[0] if isinstance(one, ast.Assign) else one.target
                if isinstance(name, ast.Name) and isinstance(text.value, ast.Constant):
                    found[name.id] = " ".join(str(text.value.value).split())
    return found


def main() -> int:
    """Write the pages, or compare them."""
    pages = {
        PAGE: render(),
        ROLLOUTS_PAGE: render_rollouts(),
        LIBRARY_PAGE: render_library(),
        UPGRADES_PAGE: render_upgrades(),
        RELEASES_PAGE: render_releases(),
    }
    if "--check" in sys.argv:
        return 0 if all(page.read_text("utf-8") == text for page, text in pages.items()) else 1
    for page, text in pages.items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
