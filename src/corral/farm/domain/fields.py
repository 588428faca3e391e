"""A JSON text read strictly: each field once, each of its kind, and none that is not asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from corral.farm.domain.errors import DomainError

Refusal: TypeAlias = "Callable[[str, str], DomainError]"
"""Makes the error of where something is wrong, and which rule it breaks."""
Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

TEXT_BYTES: Final = 256 * 1024
"""The longest text that is looked at."""
_LONGEST: Final = 4096
_MOST: Final = 4096
_WHOLE: Final = "the whole"


def read_object(text: str, refusal: Refusal) -> Fields:
    """Give the fields of the object that a JSON text is."""
    if len(text.encode(errors="surrogatepass")) > TEXT_BYTES:
        raise refusal(_WHOLE, f"it may have {TEXT_BYTES} bytes")
    try:
        found: Json = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise refusal(_WHOLE, f"it is no JSON ({error})") from None
    return Fields("", found, refusal)


class Fields:
    """The fields of one object. Each is taken once; ``finish`` refuses what nobody took."""

    def __init__(self, at: str, found: Json, refusal: Refusal) -> None:
        self._at = at
        self._refusal = refusal
        if not isinstance(found, dict):
            self.refuse("", "it must be an object")
        self._left: dict[str, Json] = dict(found)

    def has(self, name: str) -> bool:
        """Whether there is a field of that name that nobody took."""
        return name in self._left

    def text(self, name: str, longest: int = _LONGEST) -> str:
        """Take a text that is not empty."""
        return self._text(name, self._take(name), longest)

    def text_or_nothing(self, name: str) -> str:
        """Take a text, which may be left out."""
        return self.text(name) if self.has(name) else ""

    def number(self, name: str, least: int, most: int) -> int:
        """Take a whole number."""
        return self._number(name, self._take(name), least, most)

    def number_or_null(self, name: str, least: int, most: int) -> int | None:
        """Take a whole number, or the ``null`` that says that there is to be none."""
        value = self._take(name)
        return None if value is None else self._number(name, value, least, most)

    def numbers(self, name: str, least: int, most: int) -> tuple[int, ...]:
        """Take a list of different whole numbers with at least one of them."""
        found = [self._number(name, one, least, most) for one in self._list(name)]
        if not found or len(set(found)) != len(found):
            self.refuse(name, "it must have at least one number, each once")
        return tuple(found)

    def flag(self, name: str) -> bool:
        """Take a yes or no; no if it is left out."""
        if not self.has(name):
            return False
        value = self._take(name)
        if not isinstance(value, bool):
            self.refuse(name, "it must be true or false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts, which may be left out."""
        if not self.has(name):
            return ()
        return tuple(self._text(name, one, _LONGEST) for one in self._list(name))

    def object(self, name: str) -> Fields:
        """Take an object."""
        return Fields(self._path(name), self._take(name), self._refusal)

    def objects(self, name: str) -> tuple[Fields, ...]:
        """Take a list of objects."""
        return tuple(
            Fields(f"{self._path(name)}[{place}]", one, self._refusal)
            for place, one in enumerate(self._list(name))
        )

    def finish(self) -> None:
        """Refuse what is left."""
        for name in self._left:
            self.refuse(name, "nothing of that name is known")

    def refuse(self, name: str, rule: str) -> NoReturn:
        """Say what a field breaks."""
        raise self._refusal(self._path(name) or _WHOLE, rule)

    def _take(self, name: str) -> Json:
        if name not in self._left:
            self.refuse(name, "it is missing")
        return self._left.pop(name)

    def _list(self, name: str) -> Sequence[Json]:
        value = self._take(name)
        if not isinstance(value, list) or len(value) > _MOST:
            self.refuse(name, f"it must be a list of at most {_MOST}")
        return value

    def _number(self, name: str, value: Json, least: int, most: int) -> int:
        # True is a number in Python.
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(name, f"it must be a whole number of {least} to {most}")
        return value

    def _text(self, name: str, value: Json, longest: int) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            self.refuse(name, f"it must be a text of 1 to {longest} characters")
        return value

    def _path(self, name: str) -> str:
        return f"{self._at}.{name}" if self._at and name else self._at or name


def _once(pairs: Iterable[tuple[str, Json]]) -> Mapping[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            message = f"{name[:64]!r} stands there twice"
            raise ValueError(message)
        found[name] = value
    return found


def _no_constant(text: str) -> NoReturn:
    message = f"{text} is no number of JSON"
    raise ValueError(message)
