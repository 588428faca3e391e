"""The library, as people's tools see it."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue

from corral.wire.estate import Revision
from corral.wire.message import Bytes, Message, Name, Part, RootHex

PathText = Annotated[str, Field(min_length=1, max_length=4096)]


class LibraryFile(Part):
    """A file of a kit."""

    name: str
    size_bytes: Bytes
    sha256: str
    executable: bool


class LibraryReplica(Part):
    """How far a server is with fetching it."""

    server: str
    state: str
    done_bytes: Bytes
    total_bytes: Bytes


class LibraryItem(Part):
    """Something in the library."""

    id: UUID
    name: str
    kind: str
    """``kit`` or ``media``."""
    state: str
    """``importing``, ``available`` or ``failed``; nobody can be given it before it is available."""
    path: str
    """Where it was imported from."""
    size_bytes: Bytes
    begun_at: AwareDatetime
    available_at: AwareDatetime | None
    by: str
    problem: str
    """Why its import failed."""
    component: str | None
    """Of a kit: what it is a release of."""
    release: str | None
    publisher: str | None
    """The name of the publisher who signed it."""
    fingerprint: str | None
    """Of the publisher's key."""
    version: str | None
    """What it became: a version like any other."""
    root: RootHex | None
    replicas: tuple[LibraryReplica, ...]


class LibraryItemDetails(Message):
    """Something in the library, with all that its publisher signed."""

    item: LibraryItem
    manifest: dict[str, JsonValue] | None
    """The release manifest of a kit: what it says of compatibility and of upgrades."""
    files: tuple[LibraryFile, ...]


class Library(Message):
    """What is in the library, in the order of names."""

    items: tuple[LibraryItem, ...]


class OfferedFile(Part):
    """A file of the import folder."""

    name: str
    path: str
    size_bytes: Bytes
    changed_at: AwareDatetime
    item: str
    """What it would be called in the library."""
    offered: bool
    code: str
    """Why it is not offered, for programs."""
    why_not: str
    """The same for people."""


class UploadedFile(Message):
    """A file that has come into the import folder."""

    name: str
    path: str
    """What to import it by."""
    size_bytes: Bytes


class LibraryFolder(Message):
    """The import folder, looked through for one kind."""

    folder: str
    kind: str
    files: tuple[OfferedFile, ...]
    revision: Revision


class LibraryFolderEdit(Message):
    """Where files are to be imported from."""

    folder: PathText


class LibraryRules(Message):
    """Where files are imported from; none if nobody has said."""

    folder: str | None
    revision: Revision


class NewLibraryItem(Message):
    """What is to be imported."""

    path: PathText
    """An absolute path, or the name of a file in the import folder."""
    kind: Annotated[str, Field(max_length=16)] = "kit"
    name: Annotated[str, Field(max_length=255)] = ""
    """Of a disc image; a kit is named by its release."""
    server: Name | None = None
    """Whose store it goes into; by default the first server's."""


class Publisher(Part):
    """Whose kits the farm believes."""

    id: UUID
    name: str
    public_key: str
    fingerprint: str
    added_at: AwareDatetime


class Publishers(Message):
    """Whose kits the farm believes, in the order of names."""

    publishers: tuple[Publisher, ...]


class NewPublisher(Message):
    """Somebody whose kits are to be believed: their key can have every computer run anything."""

    name: Name
    public_key: Annotated[str, Field(max_length=256)]
    """As ``corral kit key`` prints it."""
