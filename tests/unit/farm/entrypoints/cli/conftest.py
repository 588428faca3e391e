"""The command line over a farm in memory."""

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

import pytest
from tests.farm_in_memory import FarmInMemory
from typer.main import get_command
from typer.testing import CliRunner

from corral.farm.entrypoints.cli.main import app
from corral.farm.entrypoints.cli.opening import Root

PROGRAM: Final = get_command(app)
"""Made once: to make all commands takes far longer than most of them."""


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command said
        return json.loads(self.out)


def run(*arguments: str, typed: str | None = None, root: Root | None = None, **more: str) -> Said:
    """Run a command in this process, with ``more`` in its environment."""
    code = None
    with CliRunner().isolation(input=typed, env=more) as (out, err, _):
        try:
            PROGRAM.main(args=list(arguments), prog_name="corral", obj=root)
        except SystemExit as ended:
            code = ended.code
        sys.stdout.flush()
        sys.stderr.flush()
        assert isinstance(code, int)
        return Said(code, out.getvalue().decode(), err.getvalue().decode())


class CommandLine:
    """Runs commands on a farm in memory."""

    def __init__(self, farm: FarmInMemory) -> None:
        self.farm = farm

    def __call__(self, *arguments: str, typed: str | None = None) -> Said:
        application = self.farm.application
        root = Root(opener=lambda _: application, creator=lambda _: application)
        return run(*arguments, typed=typed, root=root)


@pytest.fixture
def corral(farm: FarmInMemory) -> CommandLine:
    return CommandLine(farm)
