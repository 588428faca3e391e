"""What all messages have in common, and the field types they share."""

import base64
import binascii
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AnyUrl, BaseModel, ConfigDict, Field, StringConstraints

FORMAT: Final = 1
_MAX_PORT: Final = 65_535


class Part(BaseModel):
    """A piece of a message: frozen; unknown fields are a newer writer's and are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Part):
    """A whole message, which says of which format it is."""

    format: Literal[1] = FORMAT


def _is_base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        message = "not base64"
        raise ValueError(message) from error
    return text


def _is_http_url(text: str) -> str:
    url = AnyUrl(text)
    if url.scheme not in ("http", "https") or not url.host:
        message = "not an http or https URL"
        raise ValueError(message)
    return text.rstrip("/")


def _is_address(text: str) -> str:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > _MAX_PORT:
        message = "not HOST:PORT"
        raise ValueError(message)
    return text


RootHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A root hash: 64 lower-case hexadecimal digits, never shortened."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]

ExportName = Annotated[str, StringConstraints(pattern=r"^[^;/\s]+/[1-9][0-9]*$", max_length=512)]
"""``IMAGE/NUMBER``, what an NBD client asks for; a ``;`` would begin its ticket."""

StreamName = Annotated[
    str, StringConstraints(pattern=r"^[^;/\s]+/[1-9][0-9]*(@[^;/@\s]+)?$", max_length=768)
]
"""What a session streams: a version, or with ``@DEVICE`` behind it that device's disk over it."""

Base64 = Annotated[str, AfterValidator(_is_base64)]

Address = Annotated[str, AfterValidator(_is_address)]
"""``HOST:PORT``; an IPv6 host stands in brackets."""

HttpUrl = Annotated[str, AfterValidator(_is_http_url)]
"""An http or https URL, kept as text without its last slash."""

UnixSeconds = Annotated[int, Field(ge=0)]

UnixMoment = Annotated[int, Field(ge=0, lt=253_402_300_800)]
"""A moment that somebody asks for: before the year 10000, where calendars end."""

Bytes = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=0)]
