"""What people's tools say when they do something to a farm's things, and what they hear."""

from pydantic import Field

from corral.wire.message import Base64, Message, Name, Part, UnixSeconds


class FarmFacts(Message):
    """The answer to ``GET /v1/farm``."""

    name: Name
    id: str
    public_key: Base64
    api_urls: tuple[str, ...]
    """Where servers and devices reach the API, best first."""
    former_api_urls: tuple[str, ...] = ()
    """Where it was before; its certificate names them still."""
    created_at: UnixSeconds
    generation: int
    revision: int
    servers: int
    images: int
    devices: int


class FarmEdit(Message):
    """The body of ``PATCH /v1/farm``; what is not named stays."""

    name: Name = ""
    api_urls: tuple[str, ...] = ()
    """In place of those before, best first."""


class ApiCertificate(Part):
    """What the API shows to whoever connects."""

    hosts: tuple[str, ...]
    ends_at: UnixSeconds


class KnownCertificate(Part):
    """What the farm knows of a server's certificate."""

    server: Name
    hosts: tuple[str, ...]
    """What one that it gets now is for."""
    ends_at: UnixSeconds | None
    """Null if it has not said that it has one."""
    requires_tls: bool


class Certificates(Message):
    """The answer to ``GET /v1/farm/certificates``."""

    root: str
    """PEM: by this one alone the farm's processes are believed."""
    api: ApiCertificate | None
    servers: tuple[KnownCertificate, ...]


class Replication(Message):
    """The body of ``POST /v1/images/{name}/versions/{number}/replicate``."""

    to: tuple[Name, ...] = Field(min_length=1)


class Deleted(Message):
    """The answer to ``DELETE /v1/images/{name}/versions/{number}``."""

    version: str
    removed_from: tuple[Name, ...]
    waiting_for: tuple[Name, ...]
    """Servers that still have to say that it is gone from their stores."""


class Assignment(Message):
    """The body of ``PUT /v1/devices/{name}/image``."""

    image: Name
