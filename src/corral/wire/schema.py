"""The schema of the farm's database, as the API tells it."""

from corral.wire.message import Message, Name, Part


class SchemaStep(Part):
    """A migration."""

    step: str
    """Its revision: four digits that rise."""
    half: str
    """``expand`` or ``contract``."""
    what: str


class ServerRelease(Part):
    """What a server last said of itself."""

    server: Name
    release: str | None = None
    """None of one that never said."""


class Schema(Message):
    """The answer to ``GET /v1/schema``."""

    release: str
    """Of the API that answers."""
    standing: str
    """Where the schema is, seen from that release."""
    head: str
    """The last step that the release knows."""
    needs: str
    """The step that it needs."""
    embedded: bool
    """Whether the database is a file of one machine."""
    step: str | None = None
    """The last step that the database has taken."""
    readable_from: str | None = None
    """The oldest last step that a release may know and still work on the database."""
    oldest_console: str | None = None
    """The oldest release whose command line may be used."""
    pending: tuple[SchemaStep, ...] = ()
    """Steps that the release knows and the database has not taken."""
    servers: tuple[ServerRelease, ...] = ()
