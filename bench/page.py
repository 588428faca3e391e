"""The tables of ``docs/explanation/performance.md``, between two marks that the run replaces."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.servers import CORRAL, DOES_NOTHING

_GIBIBYTE = 2**30


def write_page(page: Path, result: dict[str, Any]) -> None:
    """Replace what stands between the marks with the figures of this run."""
    replace_tables(page, "make bench", tables(result))


def replace_tables(page: Path, command: str, lines: Iterable[str]) -> None:
    """Write these between the marks that say what command they come from."""
    begin, end = (f"<!-- written by `{command}`: {part} -->" for part in ("begin", "end"))
    before, begun, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"{page} has lost the marks between which its tables stand")  # noqa: EM102, TRY003
    page.write_text("\n".join([before + begin, "", *lines, "", end + after]))


def tables(result: dict[str, Any]) -> Iterator[str]:
    """Every line that is written, in order."""
    facts, settings = result["facts"], result["settings"]
    every_work = {**result["work"], **result["also"]}
    yield (
        f"Measured {facts['measured_at'][:10]} at commit `{facts['versions']['commit']}`: "
        f"{facts['cores']} cores of {facts['processor']}, {facts['system']}, "
        f"kernel {facts['kernel']}; "
        f"{facts['versions']['nbdkit']}, {facts['versions']['qemu-nbd']}. "
        f"{settings['rounds']} rounds, an image of {settings['image_bytes'] / _GIBIBYTE:g} GiB, "
        f"{result['took_seconds'] / 60:.0f} minutes in all."
    )
    yield ""
    yield "| work | ratio to the best peer |"
    yield "|---|---|"
    for name, told in result["work"].items():
        yield f"| `{name}`: {told['says']} | **{told['ratio_to_best_peer']:.2f}** |"
    yield ""
    yield "Median, and in brackets the quartiles:"
    yield ""
    yield "| work | over | Corral | nbdkit | qemu-nbd | nbdkit null | ratio |"
    yield "|---|---|---|---|---|---|---|"
    for name, told in every_work.items():
        for transport, one in told["transports"].items():
            cells = [_speed(one["servers"].get(server)) for server in _COLUMNS]
            ratio = f"{one['ratio_to_best_peer']:.2f}"
            yield f"| `{name}` ({told['unit']}) | {transport} | {' | '.join(cells)} | {ratio} |"
    yield ""
    yield "What the server's process paid in CPU time (user and system, without the client's):"
    yield ""
    yield "| work | over | Corral | nbdkit | qemu-nbd | nbdkit null | ratio |"
    yield "|---|---|---|---|---|---|---|"
    for name, told in every_work.items():
        if told["cpu_unit"] is None:
            continue
        for transport, one in told["transports"].items():
            cells = [f"{one['servers'][server]['cpu']['median']:.2f}" for server in _COLUMNS]
            ratio = f"{one['cpu_ratio_to_best_peer']:.2f}"
            yield f"| `{name}` ({told['cpu_unit']}) | {transport} | {' | '.join(cells)} | {ratio} |"
    yield ""
    yield "Corral alone, read by `nbdcopy` over a unix socket, as its chunks become known:"
    yield ""
    yield "| chunks come | MiB/s | CPU s/GiB |"
    yield "|---|---|---|"
    for name, says in _STATES.items():
        told = result["first_read"][name]
        yield f"| {says} | {told['mib_per_second']:,.0f} | {told['cpu_seconds_per_gib']:.2f} |"
    yield ""
    yield "The store, beside tools that copy a file (for information; they do not do the same):"
    yield ""
    yield "| work | tool | seconds | MiB/s | bytes written |"
    yield "|---|---|---|---|---|"
    for name, tools in result["store"].items():
        for tool, told in tools.items():
            yield (
                f"| `{name}` | {tool} | {told['seconds']:.2f} | {told['mib_per_second']:,.0f} "
                f"| {told['bytes_written']:,} |"
            )


_STATES = {
    "first_read_from_packs": "from packs: decompressed, checked, written to the flat file",
    "first_read_after_start": "from the flat file, checked because the server has just started",
    "second_read": "from the flat file, checked before",
}
_COLUMNS = (CORRAL, "nbdkit", "qemu-nbd", DOES_NOTHING)


def _speed(told: dict[str, Any] | None) -> str:
    if told is None:
        return ""
    digits = 1 if told["median"] < 100 else 0  # noqa: PLR2004 - three figures are enough
    shown = [f"{told[key]:,.{digits}f}" for key in ("median", "q1", "q3")]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"
