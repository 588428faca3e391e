"""Releases of the farm that differ for real, made out of this checkout: 4.0, 5.0 and 6.0.

Each is a folder that Python runs (`PYTHONPATH=SITE python -s -P -m corral.farm.entrypoints.cli`),
beside others. What they need, and the data plane, they share. They differ in

- their number, as `corral --version` and every report say it;
- the schema, as `demo.releases` says of 4.0 and 5.0; 6.0 adds another table;
- the messages: 5.0 says and is told a field more, everywhere;
- what they ask of others, if a test says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from demo import releases
from demo.releases import LABELS, NOTES, SQL, TAGS, Difference, a_word_more

__all__ = ["LABELS", "NEW", "NEXT", "NOTES", "OLD", "TAGS", "Difference"]

SOURCES: Final = Path(__file__).parent.parent / "src"
_SECONDS: Final = 120

COLOURS: Final = "0904"
"""What 6.0 needs."""

_HALF: Final = """\
    import os

    half = os.environ.get("STOP_AT_HALF")
    if half:  # a test kills the process, or the database, when it is here
        with open(half, "w") as reached:
            reached.write("half")
        with open(half) as going_on:
            going_on.read()
"""
_COLOURS: Final = f'''\
"""Farms have colours."""

import sqlalchemy as sa
from alembic import op

revision = "{COLOURS}"
down_revision = "{TAGS}"


def upgrade() -> None:
    op.create_table("farm_colour", sa.Column("name", sa.Text, primary_key=True))
'''
_COLOUR_TABLE: Final = """
farm_colour = Table("farm_colour", metadata, Column("name", Text, primary_key=True))
"""
_MESSAGES: Final = {
    "corral/wire/login.py": a_word_more("LoginAnswer"),
    "corral/wire/engine.py": a_word_more("CheckIn", "Orders"),
}
_STEPS: Final = {
    name: text.replace(releases.ADDS_LABEL, releases.ADDS_LABEL + _HALF)
    for name, text in releases.NEW.steps.items()
}

OLD: Final = releases.OLD
NEW: Final = Difference("5.0", _STEPS, {**releases.NEW.appended, **_MESSAGES})
NEXT: Final = Difference(
    "6.0",
    {**_STEPS, f"{COLOURS}_expand_colours.py": _COLOURS},
    {**NEW.appended, f"{SQL}/tables.py": NEW.appended[f"{SQL}/tables.py"] + _COLOUR_TABLE},
)


def asking_for_consoles_from(of: Difference, release: str) -> Difference:
    """Give a release that takes no commands of older ones than that once it is finalised."""
    needs = "corral/farm/domain/upgrade/needs.py"
    return replace(of, appended={**of.appended, needs: f'\nOLDEST_CONSOLE = "{release}"\n'})


@dataclass(frozen=True)
class Installed:
    """A release that lies in a folder."""

    number: str
    site: Path
    """Also the sources of its wheel."""

    def command(self, module: str, *words: str) -> list[str]:
        """Give the command that runs a module of it, such as ``corral.farm.entrypoints.http``."""
        return [sys.executable, "-s", "-P", "-m", module, *words]

    def corral(self, *words: str) -> list[str]:
        """Give a command of its command line."""
        return self.command("corral.farm.entrypoints.cli", *words)

    def environment(self, farm: Path, **more: str) -> dict[str, str]:
        """Give the environment in which commands are about a farm."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CORRAL_", "PYTHONPATH"))}
        cache = {k: v for k, v in os.environ.items() if k == "CORRAL_CACHE"}
        return {**kept, **cache, "PYTHONPATH": str(self.site), "CORRAL_FARM": str(farm), **more}

    def run(self, farm: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of its command line to its end, whatever that is."""
        return subprocess.run(
            self.corral(*words),
            env=self.environment(farm, **more),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )


def lay_out(difference: Difference, folder: Path) -> Installed:
    """Make a release in a folder of its own in ``folder``; files that are the same are links."""
    site = folder / difference.number
    shutil.copytree(
        SOURCES / "corral",
        site / "corral",
        copy_function=_link,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    difference.write(site, _append_to_link)
    about = site / f"corral-{difference.number}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: corral\nVersion: {difference.number}\n"
    )
    return Installed(difference.number, site)


def _append_to_link(path: Path, more: str) -> None:
    written = path.read_text("utf-8") + more
    path.unlink()  # the link, not what it leads to
    path.write_text(written, "utf-8")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
