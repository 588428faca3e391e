"""The administrator's desk: `corral` of one release, on a machine of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from demo.farm import parse_answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.farm import Answer
    from demo.processes import Runner
    from demo.upgrade.network import Place

CORRAL: Final = (sys.executable, "-s", "-P", "-m", "corral.farm.entrypoints.cli")
"""`corral` of the release that PYTHONPATH names."""
_FINDINGS: Final = 7


@dataclass
class Desk:
    """Where the administrator sits."""

    place: Place
    farm: Path
    site: Path
    """The release of the command line."""
    environment: Mapping[str, str]
    runner: Runner

    def ask(self, *words: str, what: str, keeps_output: bool = True, finds: bool = False) -> Answer:
        """Run a command with ``--json``; give what it printed.

        ``finds``: whether it may end with the code of a check that has found something.
        """
        output = self.runner.run(
            "corral",
            [*self.place.within, *CORRAL, *words, "--json"],
            what=what,
            environment=self._variables(),
            keeps_output=keeps_output,
            good=(0, _FINDINGS) if finds else (0,),
        )
        return parse_answer(" ".join(words[:2]), output)

    def show(self, *words: str) -> list[str]:
        """Run a command as a person does; give the lines that it printed."""
        output = self.runner.run(
            "corral",
            [*self.place.within, *CORRAL, *words],
            what=f"asking for {' '.join(words[:2])}",
            environment=self._variables(),
        )
        return [line.rstrip() for line in output.splitlines() if line.strip()]

    def _variables(self) -> dict[str, str]:
        return {
            **self.environment,
            "CORRAL_FARM": str(self.farm),
            "PYTHONPATH": str(self.site),
        }
