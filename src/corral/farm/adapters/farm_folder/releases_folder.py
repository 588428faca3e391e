"""The releases of a machine beside each other, and what supervisor and services tell each other.

services.toml            which services there are; written by whoever administers the machine
publishers               whose kits are laid out here; so, too
releases/RELEASE/        site/ is what Python imports, files/ what else the kit had
state.json               the supervisor's record
order.json, hand.json    what the farm, and what somebody at the machine, tells the supervisor
word.json                what the stream process says of its self-test
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.domain.library.release import Release
from corral.farm.domain.supervision.errors import ReleasesUnusableError
from corral.farm.domain.supervision.record import (
    Problem,
    Supervision,
    SwitchOrder,
    is_same_release,
)
from corral.farm.domain.supervision.stage import Stage
from corral.kit import place as places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 1
RELEASES_VARIABLE: Final = "CORRAL_RELEASES"
"""Tells services where their releases folder is."""
START_VARIABLE: Final = "CORRAL_START"
"""The mark of a start: a word about another one is nothing worth."""
PACKAGE_VARIABLE: Final = "CORRAL_PACKAGE_RELEASE"
"""The release that came with the machine's package, which services can be started from, too."""
TRIAL_VARIABLE: Final = "CORRAL_ON_TRIAL"
"""Set if the release has to show that it works before it serves anybody."""


@dataclass(frozen=True)
class Word:
    """What a stream process says of itself."""

    start: str
    problem: str = ""
    """Why it did not pass its self-test; empty if it did."""


class ReleasesFolder:
    """Reads and writes it. The record is the supervisor's, releases and orders the server's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def services(self) -> Path:
        """Where it is said which services there are."""
        return self.path / "services.toml"

    @property
    def publishers(self) -> Path:
        """The machine's own list."""
        return self.path / "publishers"

    @property
    def lock(self) -> Path:
        """Held by the supervisor and all that it has started."""
        return self.path / "lock"

    @property
    def coming(self) -> Path:
        """Where a kit is laid out before it has its place."""
        return self.path / ".coming"

    @property
    def going(self) -> Path:
        """Where a release is while it is removed."""
        return self.path / ".going"

    @property
    def releases(self) -> Path:
        """What has the releases."""
        return self.path / "releases"

    def place(self, release: str) -> Path:
        """Give the folder of a release, whether it is there or not; raises for what is none."""
        return self.releases / str(Release.parse(release))

    def installed(self) -> dict[str, str]:
        """Give the roots of the releases that lie there whole, oldest first."""
        try:
            there = list(self.releases.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise ReleasesUnusableError(self.releases, _reason(error)) from error
        found = dict(filter(None, map(places.laid_out, there)))
        return {one: found[one] for one in sorted(found, key=Release.parse)}

    def find(self, release: str) -> Path | None:
        """Give the place of a release that lies there whole."""
        for one in self.installed():
            if is_same_release(one, release):
                return self.place(one)
        return None

    def load(self) -> Supervision | None:
        """Give the record; raises ``ReleasesUnusableError`` if it cannot be read."""
        document = self._read("state.json")
        if document is None:
            return None
        try:
            return _supervision(document["releases"])
        except (KeyError, TypeError, ValueError):
            raise ReleasesUnusableError(self.path / "state.json", "it cannot be read") from None

    def keep(self, state: Supervision) -> None:
        """Write the record; what a later release has put beside it stays."""
        document = self._read("state.json") or {}
        kept = document.get("releases", {})
        self._write("state.json", {**document, "releases": {**kept, **asdict(state)}})

    def set_aside(self) -> None:
        """Take a record that cannot be read out of the way, for somebody to look at."""
        (self.path / "state.json").replace(self.path / "state.unreadable")

    def orders(self) -> list[SwitchOrder]:
        """Give what the supervisor is told; what cannot be read is not heard."""
        found = []
        for name in ("hand.json", "order.json"):
            with suppress(KeyError, TypeError, ValueError, ReleasesUnusableError):
                document = self._read(name)
                if document is not None:
                    found.append(_order(document))
        return found

    def tell(self, order: SwitchOrder) -> None:
        """Tell the supervisor."""
        self._write("hand.json" if order.by_hand else "order.json", asdict(order))

    def forget_hand(self) -> None:
        """Have what somebody at the machine told be told no more: it is in the record."""
        with suppress(OSError):
            (self.path / "hand.json").unlink(missing_ok=True)

    def word(self) -> Word | None:
        """Give what the stream process has said last."""
        with suppress(KeyError, TypeError, ValueError, ReleasesUnusableError):
            document = self._read("word.json")
            if document is not None:
                return Word(str(document["start"]), str(document["problem"]))
        return None

    def say(self, word: Word) -> None:
        """Say how the self-test went."""
        self._write("word.json", asdict(word))

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            document = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ReleasesUnusableError(path, _reason(error)) from error
        except ValueError:
            raise ReleasesUnusableError(path, "it cannot be read") from None
        if not isinstance(document, dict):
            raise ReleasesUnusableError(path, "it cannot be read")
        return document

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        path = self.path / name
        try:
            write_private_file(path, json.dumps({**document, "format": FORMAT}, indent=1).encode())
        except OSError as error:
            raise ReleasesUnusableError(path, _reason(error)) from error


def _supervision(value: dict[str, Any]) -> Supervision:
    problem = value["problem"]
    return Supervision(
        active=str(value["active"]),
        previous=str(value["previous"]),
        stage=Stage(value["stage"]),
        coming=str(value["coming"]),
        order=int(value["order"]),
        taken=int(value["taken"]),
        by_hand=str(value["by_hand"]),
        tries=int(value["tries"]),
        problem=(
            None
            if problem is None
            else Problem(int(problem["order"]), str(problem["code"]), str(problem["message"]))
        ),
    )


def _order(value: dict[str, Any]) -> SwitchOrder:
    return SwitchOrder(
        number=int(value["number"]),
        release=str(value["release"]),
        expects=str(value["expects"]),
        by_hand=str(value["by_hand"]),
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
