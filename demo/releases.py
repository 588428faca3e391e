"""What makes two releases of the farm differ for real from this checkout: 4.0 and 5.0.

5.0 adds a column and a table that it writes with each entry of the audit log, and its contract step
takes away the column that only 4.0 writes. Its servers say a word more than those of 4.0, and are
told one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NOTES: Final = "0901"
"""The last step of the schema of 4.0."""
LABELS: Final = "0902"
"""What 5.0 needs."""
TAGS: Final = "0903"
"""What finalising 5.0 brings."""

SQL: Final = PurePosixPath("corral/farm/adapters/sql")
_STEPS: Final = SQL / "migrations" / "versions"
_BEFORE: Final = "{the last step of this checkout}"

_NOTES: Final = f'''\
"""Each entry of the audit log has a note, with a tag."""

import sqlalchemy as sa
from alembic import op

revision = "{NOTES}"
down_revision = "{_BEFORE}"


def upgrade() -> None:
    op.create_table(
        "audit_note",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("tag", sa.Text, nullable=False, server_default=""),
    )
'''
ADDS_LABEL: Final = '    op.add_column("audit_note", sa.Column("label", sa.Text))\n'
"""The first half of the step to 5.0."""
_LABELS: Final = f'''\
"""A note has a label instead of its tag, and there is a table of marks."""

import sqlalchemy as sa
from alembic import op

revision = "{LABELS}"
down_revision = "{NOTES}"


def upgrade() -> None:
{ADDS_LABEL}    op.create_table(
        "release_mark",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("what", sa.Text, nullable=False),
    )
'''
_TAGS: Final = f'''\
"""Nobody writes tags any more."""

from alembic import op

from corral.farm.adapters.sql.migrations.readable_from import raise_readable_from

revision = "{TAGS}"
down_revision = "{LABELS}"


def upgrade() -> None:
    raise_readable_from("{LABELS}")
    op.drop_column("audit_note", "tag")
'''
_NOTE_TABLE: Final = """
audit_note = Table(
    "audit_note",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("what", Text, nullable=False),
    {column},
)
"""
_TAG: Final = 'Column("tag", Text, nullable=False, server_default=text("\'\'"))'
_LABEL: Final = 'Column("label", Text)'
_MARK_TABLE: Final = """
release_mark = Table(
    "release_mark",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("what", Text, nullable=False),
)
"""
_NOTING: Final = """
from sqlalchemy import text as _text

_note_alone = SqlAudit.note


def _note(self, entry):
    _note_alone(self, entry)
    for statement in {statements}:
        self._connection.execute(_text(statement), {{"what": entry.what}})


SqlAudit.note = _note
"""
_WRITES_TAGS: Final = ("INSERT INTO audit_note (what, tag) VALUES (:what, '4.0')",)
_WRITES_LABELS: Final = (
    "INSERT INTO audit_note (what, label) VALUES (:what, '5.0')",
    "INSERT INTO release_mark (what) VALUES (:what)",
)


@dataclass(frozen=True)
class Difference:
    """What makes a release another one than this checkout."""

    number: str
    steps: Mapping[str, str]
    """Steps of its schema, by the names of their files."""
    appended: Mapping[str, str]
    """What stands at the end of files of its sources."""

    def write(self, sources: Path, append: Callable[[Path, str], object]) -> None:
        """Make a copy of this checkout's sources those of the release."""
        steps = sources / _STEPS
        before = max(path.name[:4] for path in steps.glob("[0-9]*.py"))
        for name, text in self.steps.items():
            (steps / name).write_text(text.replace(_BEFORE, before), encoding="utf-8")
        for file, more in self.appended.items():
            append(sources / file, more)


def a_word_more(*messages: str) -> str:
    """Give what has messages say a word more, at the end of their module."""
    return "".join(f'\n\nclass {name}({name}):\n    weather: str = "fair"\n' for name in messages)


_FOUR: Final = {f"{NOTES}_expand_notes.py": _NOTES}

OLD: Final = Difference(
    "4.0",
    _FOUR,
    {
        f"{SQL}/tables.py": _NOTE_TABLE.format(column=_TAG),
        f"{SQL}/audit.py": _NOTING.format(statements=_WRITES_TAGS),
    },
)
NEW: Final = Difference(
    "5.0",
    {
        **_FOUR,
        f"{LABELS}_expand_labels.py": _LABELS,
        f"{TAGS}_contract_tags.py": _TAGS,
    },
    {
        f"{SQL}/tables.py": _NOTE_TABLE.format(column=_LABEL) + _MARK_TABLE,
        f"{SQL}/audit.py": _NOTING.format(statements=_WRITES_LABELS),
        "corral/wire/server.py": a_word_more("ServerReport", "ServerConfiguration"),
    },
)
