"""The farm: the whole installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType
from urllib.parse import urlsplit
from uuid import UUID

from corral.farm.domain.errors import InvalidInputError
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

FarmId = NewType("FarmId", UUID)
FarmName = NewType("FarmName", str)
ApiUrl = NewType("ApiUrl", str)


def farm_name(text: str) -> FarmName:
    """Check a name for a farm."""
    return FarmName(checked_name("farm", text))


class ApiUrlInvalidError(InvalidInputError):
    """The API is reached at an http or https URL without query or fragment."""

    code = "api-url-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not where an API can be: write a URL such as http://192.0.2.10:10800"
        )


def api_url(text: str) -> ApiUrl:
    """Check where the API is reached; a slash at the end is left out."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ApiUrlInvalidError(text) from None
    is_plain = not (parts.query or parts.fragment or parts.username or port == 0)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise ApiUrlInvalidError(text)
    return ApiUrl(text.rstrip("/"))


@dataclass(frozen=True)
class Farm:
    """One installation with one database and one signing key."""

    id: FarmId
    name: FarmName
    public_key: bytes
    """Raw Ed25519 public key (32 bytes) that checks root signatures and tickets."""
    api_urls: tuple[ApiUrl, ...]
    """Where servers and devices reach the API, best first."""
    created_at: datetime
    generation: int = 1
    """Raised by each change that a stream process must learn of; never goes back."""
