"""A farm whose records are in PostgreSQL, by commands and by what a long-lived process holds."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.postgresql import PostgreSQL, programs_or_skip

PROGRAM = "from corral.farm.entrypoints.cli.main import run; run()"


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command said
        return json.loads(self.out)

    @property
    def problem(self) -> str:
        """The code of its error."""
        return str(json.loads(self.err)["code"])


class CommandLine:
    """Runs commands as a person does, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, **more: str) -> Said:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CORRAL_", "PG"))}
        own = {
            "CORRAL_FARM": str(self.folder),
            "PYTHONPATH": str(Path("src").absolute()),
            "PGPASSFILE": str(self.folder.parent / "no-passwords"),
        }
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM, *arguments, "--json"],
            env=kept | own | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in ended.stderr
        return Said(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def corral(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "farm")


@pytest.fixture(scope="package")
def mortal() -> Iterator[PostgreSQL]:
    """A server that tests may kill, and must start again."""
    server = PostgreSQL(programs_or_skip())
    try:
        server.start()
        yield server
    finally:
        server.remove()
