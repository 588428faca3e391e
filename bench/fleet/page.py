"""The table of ``docs/explanation/fleet-cost.md``, between two marks that the run replaces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.page import replace_tables

_MEBIBYTE = 2**20


def write_page(page: Path, result: dict[str, Any]) -> None:
    """Replace what stands between the marks with the figures of this run."""
    replace_tables(page, "make bench-fleet", tables(result))


def tables(result: dict[str, Any]) -> Iterator[str]:
    """Every line that is written, in order."""
    facts = result["facts"]
    yield (
        f"Measured {facts['measured_at'][:10]} at commit `{facts['versions']['commit']}`: "
        f"{facts['cores']} cores of {facts['processor']}, {facts['system']}, "
        f"Python {facts['python']}; {result['rounds']} quiet rounds of each size."
    )
    yield ""
    columns = ("engines", "quiet check-in", "check-in in a rollout", "registration", "memory, MiB")
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for one in result["sizes"]:
        yield (
            f"| {one['computers']} | {_spread(one['quiet_check_in_cpu_ms'])} |"
            f" {_spread(one['rollout_check_in_cpu_ms'])} | {one['register_cpu_ms']:.1f} |"
            f" {one['memory_bytes'] / _MEBIBYTE:.0f} |"
        )
    yield ""
    ratio, times = result["ratio_largest_to_smallest"], _times(result)
    yield (
        f"With {times:g} times as many engines one quiet check-in costs"
        f" **{ratio['quiet_check_in_cpu_ms']:.2f}** times as much, one in a rollout"
        f" **{ratio['rollout_check_in_cpu_ms']:.2f}** times: what a fleet costs grows as it does."
    )


def _times(result: dict[str, Any]) -> float:
    return float(result["sizes"][-1]["computers"] / result["sizes"][0]["computers"])


def _spread(told: dict[str, float]) -> str:
    return f"{told['median']:.1f} ({told['q1']:.1f} to {told['q3']:.1f})"
