"""The farm: the whole installation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NewType
from urllib.parse import urlsplit
from uuid import UUID

from corral.farm.domain.errors import EditConflictError, InvalidInputError
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

FarmId = NewType("FarmId", UUID)
FarmName = NewType("FarmName", str)
ApiUrl = NewType("ApiUrl", str)

MOST_API_URLS: Final = 16
"""Whoever looks for the farm asks one after the other."""


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


class ApiUrlsInvalidError(InvalidInputError):
    """A farm names where its API is: once at least, and each place once."""

    code = "api-urls-invalid"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"these cannot be the URLs of a farm's API: {reason}. Name each place where the API is"
            f" reached once, best first, {MOST_API_URLS} at most"
        )


class FarmChangedError(EditConflictError):
    """A farm is changed by one person at a time; the second is told to look again."""

    code = "farm-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"farm {name!r} was changed by somebody else since you looked: look again with"
            " 'corral farm show', then repeat your change if it still makes sense"
        )


def checked_api_urls(texts: Iterable[str]) -> tuple[ApiUrl, ...]:
    """Check all places where the API is reached, best first."""
    urls = tuple(map(api_url, texts))
    if not urls:
        reason = "there is none"
    elif len(set(urls)) < len(urls):
        reason = "one of them is there twice"
    elif len(urls) > MOST_API_URLS:
        reason = f"there are {len(urls)}"
    else:
        return urls
    raise ApiUrlsInvalidError(reason)


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
    former_api_urls: tuple[ApiUrl, ...] = ()
    """Where the API was before, the last first. Its certificate goes on naming them, so that who
    was off while they were changed is not turned away at the place that he knows."""
    revision: int = 1
    """Raised by each change that a person makes, of which the second is told."""

    def reached_at(self, urls: tuple[ApiUrl, ...]) -> Farm:
        """Give the farm with other places where its API is reached."""
        past = dict.fromkeys((*self.api_urls, *self.former_api_urls))
        former = tuple(url for url in past if url not in urls)[:MOST_API_URLS]
        return replace(self, api_urls=urls, former_api_urls=former)
