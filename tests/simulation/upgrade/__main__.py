"""``python -m tests.simulation.upgrade --histories N --seed S``: play many, and tell what broke.

With ``--into FILE`` the result is kept as it grows, and the same command goes on where it ended.
"""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from tests.simulation.upgrade.histories import outcomes

CHUNK: Final = 50
ROOT: Final = Path(__file__).parents[3]
PLAYED: Final = ("src/corral/farm/domain", "tests/simulation/upgrade")
"""What a history follows from, beside its seed."""


@dataclass
class Result:
    """What came of the histories so far."""

    first: int
    """The seed of the first."""
    code: str
    """What they were played with."""
    histories: int = 0
    seconds: float = 0
    ends: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """What broke first, by seed."""

    def add(self, some: list[tuple[int, str, list[str]]], seconds: float) -> None:
        ends = Counter(self.ends)
        for seed, state, what in some:
            ends[state] += 1
            if what:
                self.broken[str(seed)] = what[0]
                print(f"seed {seed}: {what[0]}", flush=True)  # noqa: T201
        self.ends = dict(sorted(ends.items()))
        self.histories += len(some)
        self.seconds = round(seconds, 1)

    def __str__(self) -> str:
        told = ", ".join(f"{count} {state}" for state, count in self.ends.items())
        return (
            f"{self.histories} histories from seed {self.first}: {told};"
            f" {len(self.broken)} broke an invariant; {self.seconds:.0f} seconds"
        )


def code() -> str:
    """Give a digest of everything that a history follows from."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in PLAYED for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def begun(first: int, into: Path | None) -> Result:
    """Give what was played already."""
    if into is None or not into.exists():
        return Result(first, code())
    known = Result(**json.loads(into.read_text(encoding="utf-8")))
    if (known.first, known.code) != (first, code()):
        sys.exit(
            f"{into} is of seed {known.first} on and of code {known.code}, and this is seed {first}"
            f" and code {code()}: name another file"
        )
    return known


def chunks(first: int, end: int) -> Iterator[range]:
    for begin in range(first, end, CHUNK):
        yield range(begin, min(begin + CHUNK, end))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first; each has its own")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--into", type=Path, help="a file for what has come of them so far")
    said = parser.parse_args()
    result = begun(said.seed, said.into)
    since = time.monotonic() - result.seconds
    rest = chunks(said.seed + result.histories, said.seed + said.histories)
    with get_context("spawn").Pool(said.processes) as pool:
        for some in pool.imap(outcomes, rest):
            result.add(some, time.monotonic() - since)
            if said.into is not None:
                said.into.write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
    print(result)  # noqa: T201
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
