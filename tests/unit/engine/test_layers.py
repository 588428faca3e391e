"""The layer of guest tools on a disk: each move may be made twice, and none loses what works."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.engine.world import KEY, POLICY, version

from corral.engine.adapters.qemu.layers import layer_of, put_layers
from corral.engine.adapters.qemu.places import Places
from corral.engine.adapters.state_folder import StateFolder
from corral.engine.domain.failures import ProcessFailedError
from corral.engine.domain.machine.record import Machine, Mode
from corral.engine.domain.machine.tools_record import ToolsStage, ToolsUpdate

ROOT = version(1).root


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places.of(StateFolder(tmp_path), KEY)
    places.folder.mkdir(parents=True)
    return places


def machine(stage: ToolsStage, release: str = "3.0", kept: str | None = "2.0") -> Machine:
    tools = ToolsUpdate(ROOT, release, stage, kept)
    return replace(Machine(KEY, Mode.SHARED, POLICY), current=version(1), tools=tools)


def found(places: Places) -> dict[str, str]:
    return {one.name: one.read_text() for one in places.layers()}


def test_a_disk_becomes_a_layer_once_whoever_is_killed(places: Places) -> None:
    places.layer("2.0").write_text("2")
    places.system.write_text("3")
    on_trial = machine(ToolsStage.ON_TRIAL)
    for _ in range(3):
        put_layers(on_trial, places)
        assert found(places) == {"tools-2.0.qcow2": "2", "tools-3.0.qcow2": "3"}
        assert layer_of(on_trial, places) == places.layer("3.0")
        # As the start goes on: the system disk is made anew.
        places.system.write_text("another")


def test_what_did_not_work_goes_and_what_did_stays(places: Places) -> None:
    for release in ("1.9", "2.0", "3.0"):
        places.layer(release).write_text(release)
    given_up = machine(ToolsStage.GIVEN_UP)
    put_layers(given_up, places)
    assert found(places) == {"tools-2.0.qcow2": "2.0"}
    assert layer_of(given_up, places) == places.layer("2.0")
    # Installed over the version alone, with what works still at hand.
    installing = machine(ToolsStage.INSTALLING)
    put_layers(installing, places)
    assert found(places) == {"tools-2.0.qcow2": "2.0"}
    assert layer_of(installing, places) is None
    none = replace(installing, tools=None)
    put_layers(none, places)
    assert (found(places), layer_of(none, places)) == ({}, None)


def test_a_layer_that_is_not_there_is_not_started_over(places: Places) -> None:
    assert layer_of(machine(ToolsStage.KEPT), places) is None
    with pytest.raises(ProcessFailedError):
        put_layers(machine(ToolsStage.ON_TRIAL), places)
