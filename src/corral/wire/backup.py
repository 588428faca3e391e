"""Backups, as people's tools see them."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from corral.wire.estate import Revision
from corral.wire.message import Bytes, Message, Part

Count = Annotated[int, Field(ge=0)]
PathText = Annotated[str, Field(min_length=1, max_length=4096)]
Recipient = Annotated[str, Field(min_length=1, max_length=255)]


class BackupItem(Part):
    """A backup that the farm has made, or a file that lies where they go."""

    name: str
    path: str
    id: UUID | None
    """None of a file that says nothing of itself."""
    taken_at: AwareDatetime | None
    age_seconds: float | None
    size_bytes: Bytes
    release: str
    database_schema: str
    by: str
    has_chunks: bool
    verified_at: AwareDatetime | None
    """When it was last restored to a scratch place and found to be a whole farm."""
    read_by: str
    """The release whose own programs last expanded and read it there, too; empty if none has."""
    known: bool
    """Whether this farm has made it, and remembers it."""
    present: bool
    """Whether the file is seen from the API's machine."""
    problem: str
    """What is wrong with the file, as far as that is seen without its key."""


class BackupRules(Message):
    """Where backups go, who can open them, and how many are kept."""

    folder: str | None
    recipients: tuple[str, ...]
    with_chunks: bool
    daily: int
    weekly: int
    monthly: int
    too_old_days: int
    revision: Revision


class BackupRulesEdit(Message):
    """What is to be another way; what is not there stays as it is."""

    folder: PathText | None = None
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=64)] | None = None
    with_chunks: bool | None = None
    daily: Count | None = None
    weekly: Count | None = None
    monthly: Count | None = None
    too_old_days: Count | None = None


class BackupList(Message):
    """The backups, newest first."""

    backups: tuple[BackupItem, ...]
    rules: BackupRules
    folder_problem: str
    """Why the folder could not be looked at from the API's machine."""
    restored_at: AwareDatetime | None
    """When the farm itself was restored from a backup, if it ever was."""


class NewBackup(Message):
    """What is to be another way, this time."""

    with_chunks: bool = False


class RolledUp(Message):
    """The answer to ``POST /v1/backups/roll-up``."""

    rolled_up: tuple[str, ...]
    """The files, by name."""
    dry_run: bool
