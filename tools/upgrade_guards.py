"""Write the tables of what breaks without each guard, and without two, into upgrades.md.

``python -m tools.upgrade_guards [HISTORIES [OF_PAIRS]]`` takes minutes. The tables keep the seed of
each death, so that ``tests/simulation/upgrade/test_guards.py`` can see in a moment whether they are
true.
"""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from tests.simulation.upgrade.guards import Death, Guard, all_guards, death_without, in_pairs

PAGE: Final = Path(__file__).parent.parent / "docs" / "explanation" / "upgrades.md"
BEGIN: Final = "<!-- guards: written by tools/upgrade_guards.py -->"
END: Final = "<!-- end of guards -->"
HISTORIES: Final = 260
OF_PAIRS: Final = 140
HEAD: Final = ("| guard | breaks | what happened | seed |", "|---|---|---|---:|")


def row(guard: Guard, death: Death | None) -> str:
    """Give a line of a table."""
    if death is None:
        return f"| `{guard.name}` | - | nothing broke |  |"
    words = death.words.partition(" ")[2].partition(": [")[0]
    return f"| `{guard.name}` | {death.invariant} | {words} | {death.seed} |"


def of_each(count: int) -> Iterator[str]:
    """Give the table of the guards."""
    yield f"Each was switched off in up to {count} histories, until the first invariant broke."
    yield from ("", *HEAD)
    for guard in all_guards():
        yield row(guard, death_without(guard, range(count)))


def of_pairs(count: int) -> Iterator[str]:
    """Give the table of the pairs."""
    came = in_pairs(range(count))
    dead = len({guard.name for guard, _ in came.deaths})
    yield (
        f"Each two of them ({came.pairs:,} pairs) were switched off together in {count} histories,"
        f" {came.pairs * count:,} in all. In {came.played:,} of those both were asked for, and"
        " these were played; in the others nobody asks for one of the two, so that they go as"
        f" without the other alone. With {dead} pairs switched off an invariant breaks that does"
        " not in these histories with either of the two alone:"
    )
    yield from ("", *HEAD)
    yield from (row(guard, death) for guard, death in came.deaths)
    yield from ("", f"With the other {came.pairs - dead:,} pairs, none does.")


def main() -> int:
    """Write the tables."""
    said = [int(one) for one in sys.argv[1:]]
    each, pairs = (*said, *(HISTORIES, OF_PAIRS)[len(said) :])
    lines: list[str] = []
    for line in chain(of_each(each), [""], of_pairs(pairs)):
        lines.append(line)
        print(line, flush=True)
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(
        f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
