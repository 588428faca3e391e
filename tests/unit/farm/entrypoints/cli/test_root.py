"""Faults of Corral's own: where they are written down."""

from pathlib import Path
from typing import NoReturn

import pytest
from tests.unit.farm.entrypoints.cli.conftest import run

from corral.farm.entrypoints.cli.opening import Root
from corral.farm.settings import FarmSettings


def broken(_: FarmSettings) -> NoReturn:
    raise ZeroDivisionError


def interrupted(_: FarmSettings) -> NoReturn:
    raise KeyboardInterrupt


def test_interrupt_before_the_work_began_is_said() -> None:
    said = run("device", "list", root=Root(opener=interrupted))
    assert (said.code, said.err) == (130, "error: interrupted\ncode: interrupted\n")


@pytest.mark.parametrize("spelling", ["--farm {}", "--farm={}"])
def test_fault_is_written_into_the_log_of_the_farm_that_was_named(
    tmp_path: Path, spelling: str
) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    named.mkdir()
    other.mkdir()
    said = run(
        *("device", "list", *spelling.format(named).split()),
        root=Root(opener=broken),
        CORRAL_FARM=str(other),
    )
    assert said.code == 70
    assert str(named) in said.err
    assert "ZeroDivisionError" in (named / "log" / "corral.log").read_text()
    assert list(other.iterdir()) == []
