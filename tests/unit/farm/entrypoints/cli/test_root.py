"""Faults of Corral's own: where they are written down."""

from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from corral.farm.entrypoints.cli.main import app
from corral.farm.entrypoints.cli.opening import Root
from corral.farm.settings import FarmSettings


def broken(_: FarmSettings) -> NoReturn:
    raise ZeroDivisionError


def interrupted(_: FarmSettings) -> NoReturn:
    raise KeyboardInterrupt


def test_interrupt_before_the_work_began_is_said() -> None:
    said = CliRunner().invoke(
        app, ["device", "list"], obj=Root(opener=interrupted), prog_name="corral"
    )
    assert (said.exit_code, said.stderr) == (130, "error: interrupted\ncode: interrupted\n")


@pytest.mark.parametrize("spelling", ["--farm {}", "--farm={}"])
def test_fault_is_written_into_the_log_of_the_farm_that_was_named(
    tmp_path: Path, spelling: str
) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    named.mkdir()
    other.mkdir()
    said = CliRunner().invoke(
        app,
        ["device", "list", *spelling.format(named).split()],
        obj=Root(opener=broken),
        env={"CORRAL_FARM": str(other)},
        prog_name="corral",
    )
    assert said.exit_code == 70
    assert str(named) in said.stderr
    assert "ZeroDivisionError" in (named / "log" / "corral.log").read_text()
    assert list(other.iterdir()) == []
