"""What people's tools say when they do something to a farm's things, and what they hear."""

from pydantic import Field

from corral.wire.message import Base64, Message, Name, UnixSeconds


class FarmFacts(Message):
    """The answer to ``GET /v1/farm``."""

    name: Name
    id: str
    public_key: Base64
    api_urls: tuple[str, ...]
    created_at: UnixSeconds
    generation: int
    servers: int
    images: int
    devices: int


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
