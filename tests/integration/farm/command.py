"""The ``corral`` command line, run as anybody runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CORRAL: Final = str(Path(sys.executable).with_name("corral"))
_SECONDS: Final = 60


@dataclass(frozen=True)
class Refusal:
    """How a command said no."""

    exit_code: int
    code: str
    message: str


@dataclass(frozen=True)
class CommandLine:
    """Commands of one farm; what they write to their standard error is kept in ``log``."""

    farm: Path
    log: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command with ``--json`` to its end, whatever that is."""
        done = subprocess.run(
            [CORRAL, *words, "--json"],
            env=self.environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        with self.log.open("a") as log:
            log.write(f"$ corral {' '.join(words)}\n{done.stderr}")
        return done

    def ask(self, *words: str) -> Any:  # noqa: ANN401 - JSON, checked where it is used
        """Run a command that must succeed; give the JSON that it printed."""
        done = self.run(*words)
        assert done.returncode == 0, f"corral {' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout)

    def refusal(self, *words: str) -> Refusal:
        """Run a command that must be refused."""
        return refusal_of(self.run(*words))

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command; unless it has ended by itself, it is killed at the end of the block."""
        process = subprocess.Popen(
            [CORRAL, *words, "--json"],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def environment(self) -> dict[str, str]:
        """Give the environment in which commands are about this farm."""
        return {**os.environ, "CORRAL_FARM": str(self.farm)}


def refusal_of(done: subprocess.CompletedProcess[str]) -> Refusal:
    """Read how a command with ``--json`` said no: one line of JSON, and no traceback."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    said = json.loads(done.stderr.splitlines()[-1])
    return Refusal(done.returncode, said["code"], said["message"])
