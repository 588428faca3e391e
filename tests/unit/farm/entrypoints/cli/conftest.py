"""The command line over a farm in memory."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from tests.farm_in_memory import FarmInMemory
from typer.testing import CliRunner

from corral.farm.entrypoints.cli.main import app
from corral.farm.entrypoints.cli.opening import Root


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command said
        return json.loads(self.out)


class CommandLine:
    """Runs commands on a farm in memory."""

    def __init__(self, farm: FarmInMemory) -> None:
        self.farm = farm

    def __call__(self, *arguments: str, typed: str | None = None) -> Said:
        application = self.farm.application
        root = Root(opener=lambda _: application, creator=lambda _: application)
        result = CliRunner().invoke(app, list(arguments), input=typed, obj=root, prog_name="corral")
        return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def corral(farm: FarmInMemory) -> CommandLine:
    return CommandLine(farm)
