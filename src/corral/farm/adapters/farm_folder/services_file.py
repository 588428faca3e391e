"""Which services a machine has, as the file says it. What is not understood is refused."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import InvalidInputError
from corral.farm.domain.naming import checked_name
from corral.farm.domain.supervision.errors import ServicesInvalidError
from corral.farm.domain.supervision.service import SERVED, Service

if TYPE_CHECKING:
    from pathlib import Path

FORMAT: Final = 1
_FIELDS: Final = frozenset({"name", "words", "stops"})


def read_services(path: Path) -> tuple[Service, ...]:
    """Read it; raises ``ServicesInvalidError``."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ServicesInvalidError(path, (error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise ServicesInvalidError(path, f"it is no TOML ({error})") from None
    return services_from(document, path)


def services_from(document: dict[str, object], path: Path) -> tuple[Service, ...]:
    """Read what TOML has made of it."""
    unknown = document.keys() - {"format", "service"}
    if unknown:
        raise ServicesInvalidError(path, f"{min(unknown)!r} means nothing there")
    if document.get("format") != FORMAT:
        raise ServicesInvalidError(path, f"'format = {FORMAT}' is missing")
    tables = document.get("service")
    if not isinstance(tables, list) or not tables:
        raise ServicesInvalidError(path, "it has no [[service]]")
    services = tuple(_service(one, path) for one in tables)
    names = [one.name for one in services]
    if len(set(names)) < len(names):
        raise ServicesInvalidError(path, "a name is there twice")
    if sum(one.is_stream for one in services) > 1:
        raise ServicesInvalidError(
            path, "it has two stream processes: each needs a releases folder of its own"
        )
    return services


def _service(table: object, path: Path) -> Service:
    if not isinstance(table, dict):
        raise ServicesInvalidError(path, "'service' has to be [[service]]")
    unknown = table.keys() - _FIELDS
    if unknown:
        raise ServicesInvalidError(path, f"{min(unknown)!r} means nothing in a service")
    name, words, stops = table.get("name"), table.get("words"), table.get("stops", 0)
    try:
        checked = checked_name("service", name if isinstance(name, str) else "")
    except InvalidInputError as error:
        raise ServicesInvalidError(path, error.message) from error
    match words:
        case ["serve", kind, *_] if kind in SERVED and all(isinstance(one, str) for one in words):
            pass
        case _:
            message = f"'words' of {name} begin with \"serve\" and one of {', '.join(SERVED)}"
            raise ServicesInvalidError(path, message)
    if not isinstance(stops, int) or isinstance(stops, bool) or stops < 0:
        raise ServicesInvalidError(path, f"'stops' of {name} is a whole number")
    return Service(checked, tuple(words), stops)
