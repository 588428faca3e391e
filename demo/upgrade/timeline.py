"""Every device's time, drawn as a picture: who fed it, when it waited, what was done meanwhile.

Lines in, a picture as SVG out; no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COLOURS: Final = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#aa3377")
_RELEASES: Final = ("#9ecae1", "#fdae6b", "#a1d99b")
_NOBODY: Final = "#eeeeee"
_WAITS: Final = "#dd0000"
_LEFT: Final = 110
_RIGHT: Final = 20
_WIDTH: Final = 1600
_ROW: Final = 13
_BAR: Final = 9
_LABELS: Final = 150
_LEGEND: Final = 64
_LEAST_PIXELS: Final = 2.0
_TICKS: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_MOST_TICKS: Final = 20


@dataclass
class Span:
    """A time in which something was so."""

    begins: float
    ends: float
    what: str


@dataclass
class Line:
    """The times of one thing."""

    name: str
    longest_gap: float = 2.0
    """What was not looked at for so long is not known."""
    spans: list[Span] = field(default_factory=list)
    """What held: the server that feeds a device, the release that a server runs."""
    waits: list[Span] = field(default_factory=list)
    """When reads waited, and for how long."""
    _seen_at: float = -1.0

    def see(self, at: float, what: str | None, *, is_waiting: bool = False) -> None:
        """Note what is so at a moment."""
        self._go_on(self.spans, at, what)
        self._go_on(self.waits, at, "waits" if is_waiting else None)
        self._seen_at = at

    def _go_on(self, spans: list[Span], at: float, what: str | None) -> None:
        is_known = at - self._seen_at <= self.longest_gap
        last = spans[-1] if spans else None
        if last is not None and is_known and last.ends == self._seen_at and last.what == what:
            last.ends = at
        elif what is not None:
            spans.append(Span(max(self._seen_at, 0.0) if is_known else at, at, what))


@dataclass(frozen=True)
class Mark:
    """Something that was done at a moment."""

    at: float
    what: str
    is_deed: bool = False
    """Whether a person, or a mishap, did it, and not the upgrade."""


def draw(
    title: str, servers: Sequence[Line], devices: Sequence[Line], marks: Sequence[Mark], end: float
) -> str:
    """Draw all of it."""
    return "\n".join(_Picture(servers, devices, marks, max(end, 1.0)).lines(title))


@dataclass
class _Picture:
    servers: Sequence[Line]
    devices: Sequence[Line]
    marks: Sequence[Mark]
    end: float

    def lines(self, title: str) -> Iterator[str]:
        """Give the picture, element by element."""
        height = self._bottom + 30
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
            f' width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="10">'
        )
        yield f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
        yield f'<text x="{_LEFT}" y="20" font-size="15" font-weight="bold">{escape(title)}</text>'
        yield from self._legend()
        yield from self._rows(self.servers, self._top, self._release_colours)
        yield from self._rows(self.devices, self._devices_top, self._server_colours)
        yield from self._marks()
        yield from self._axis()
        yield "</svg>"

    @property
    def _top(self) -> int:
        return _LEGEND + _LABELS

    @property
    def _devices_top(self) -> int:
        return self._top + _ROW * len(self.servers) + 10

    @property
    def _bottom(self) -> int:
        return self._devices_top + _ROW * len(self.devices) + 4

    @property
    def _server_colours(self) -> dict[str, str]:
        names = sorted({span.what for line in self.devices for span in line.spans})
        return dict(zip(names, _COLOURS * (1 + len(names)), strict=False))

    @property
    def _release_colours(self) -> dict[str, str]:
        names = sorted({span.what for line in self.servers for span in line.spans})
        return dict(zip(names, _RELEASES * (1 + len(names)), strict=False))

    def _x(self, at: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * at / self.end, 1)

    def _legend(self) -> Iterator[str]:
        x = _LEFT
        words = [
            *((colour, f"fed by {name}") for name, colour in self._server_colours.items()),
            *((colour, f"runs {name}") for name, colour in self._release_colours.items()),
            (_NOBODY, "not known, or off"),
            (_WAITS, "a read waits"),
        ]
        for colour, text in words:
            yield f'<rect x="{x}" y="34" width="12" height="10" fill="{colour}"/>'
            yield f'<text x="{x + 17}" y="43">{escape(text)}</text>'
            x += 34 + 6 * len(text)

    def _rows(self, lines: Sequence[Line], top: int, colours: dict[str, str]) -> Iterator[str]:
        for number, line in enumerate(lines):
            y = top + _ROW * number
            name = escape(line.name)
            yield f'<text x="{_LEFT - 6}" y="{y + _BAR}" text-anchor="end">{name}</text>'
            yield self._bar(0, self.end, y, _NOBODY)
            for span in line.spans:
                yield self._bar(span.begins, span.ends, y, colours[span.what])
            for span in line.waits:
                yield self._bar(span.begins, span.ends, y - 1, _WAITS, _BAR + 2)

    def _bar(self, begins: float, ends: float, y: int, colour: str, height: int = _BAR) -> str:
        x = self._x(begins)
        width = max(_LEAST_PIXELS, round(self._x(ends) - x, 1))
        return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>'

    def _marks(self) -> Iterator[str]:
        taken = 0.0
        for mark in sorted(self.marks, key=lambda one: one.at):
            x = self._x(mark.at)
            # Text that stands on its head beside another must not lie upon it.
            text = max(x, taken + 11)
            taken = text
            colour = "#aa0000" if mark.is_deed else "#333333"
            weight = "bold" if mark.is_deed else "normal"
            yield (
                f'<path d="M{text} {self._top - 14} L{x} {self._top - 4} V{self._bottom}"'
                f' fill="none" stroke="{colour}" stroke-width="{0.9 if mark.is_deed else 0.5}"'
                ' stroke-opacity="0.7"/>'
            )
            yield (
                f'<text transform="translate({text + 3} {self._top - 18}) rotate(-90)"'
                f' fill="{colour}" font-weight="{weight}">{escape(mark.what)}</text>'
            )

    def _axis(self) -> Iterator[str]:
        step = next((one for one in _TICKS if self.end / one <= _MOST_TICKS), _TICKS[-1])
        for number in range(int(self.end // step) + 1):
            at = number * step
            x = self._x(at)
            yield f'<path d="M{x} {self._bottom} v5" stroke="#333333"/>'
            yield f'<text x="{x}" y="{self._bottom + 16}" text-anchor="middle">{at} s</text>'
