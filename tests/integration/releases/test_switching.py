"""A server's releases: installed from its store, switched without a reader noticing, and back."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from corral.farm.domain.supervision.stage import Stage
from tests.gates import Gates
from tests.integration.farm.command import CORRAL
from tests.integration.releases.conftest import Farm
from tests.integration.releases.machine import Machine

PACKAGE = "0.1.0"


def corral_at(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command at the machine, without its farm."""
    command = [CORRAL, "supervisor", *words, "--releases", str(machine.path), "--json"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_release_takes_over_while_a_device_reads_and_back_by_hand(farm: Farm) -> None:
    machine, orders = farm.machine(), farm.orders
    kit = farm.has("2.0")
    machine.serves_api_too(farm.estate.corral.farm)
    machine.start()
    said = orders.wait_for("s1", ready=True, supervised=True)
    assert (said["running"], said["installed"]) == (PACKAGE, [PACKAGE])
    second = farm.estate.programs.start(
        "second", [CORRAL, "serve", "supervisor", "--releases", str(machine.path)]
    )
    refused = corral_at(machine, "use", "2.0")
    assert json.loads(refused.stderr)["code"] == "release-not-installed"

    number = orders.give("s1", install=kit)
    said = orders.wait_for("s1", order=number)
    assert (said["running"], said["installed"]) == (PACKAGE, [PACKAGE, "2.0"])

    reader = farm.estate.start_client("reader").read_forever(farm.estate.root)
    reader.go_on_for(1)
    number = orders.give("s1", install=kit, run={"release": "2.0", "expects": PACKAGE})
    said = orders.wait_for("s1", order=number, ready=True)
    assert (said["running"], said["problem"]) == ("2.0", None)
    assert farm.estate.corral.ask("server", "show", "s1")["release"] == "2.0"
    (line,) = (one for one in farm.estate.corral.ask("server", "releases") if one["name"] == "s1")
    assert line["releases"] == said
    reader.go_on_for(1)
    assert {machine.release_of(pid) for pid in machine.services()} == {"2.0"}
    # The services, which hold the lock, are others now; the lock was never free.
    assert second.process.wait(60) == 1
    assert "supervisor-runs" in second.log.read_text()

    # An older order, and one from what does not run: neither does anything.
    late = orders.give("s1", number - 1, run={"release": PACKAGE, "expects": "2.0"})
    assert orders.problem("s1", late)["code"] == "order-outdated"
    wrong = orders.give("s1", run={"release": PACKAGE, "expects": "1.9"})
    assert orders.problem("s1", wrong)["code"] == "release-unexpected"
    assert machine.state().active == "2.0"

    # By hand it goes through the same: the farm's numbers stay what they are.
    assert corral_at(machine, "use", PACKAGE).returncode == 0
    machine.wait_for(active=PACKAGE, stage=Stage.SETTLED)
    said = orders.wait_for("s1", running=PACKAGE, ready=True)
    assert said["order"] == wrong
    shown = json.loads(corral_at(machine, "show").stdout)
    assert (shown["active"], shown["previous"]) == (PACKAGE, "2.0")
    reader.go_on_for(1)
    machine.stop()
    assert machine.services() == []


def test_a_release_takes_over_with_all_that_it_needs_and_a_data_plane_of_its_own(
    farm: Farm,
) -> None:
    machine, orders = farm.machine(), farm.orders
    kit = farm.has("whole")
    machine.start()
    orders.wait_for("s1", ready=True, supervised=True)
    (packaged,) = machine.data_planes()
    reader = farm.estate.start_client("whole").read_forever(farm.estate.root)
    reader.go_on_for(1)
    number = orders.give("s1", install=kit, run={"release": "2.4", "expects": PACKAGE})
    orders.wait_for("s1", order=number, running="2.4", ready=True)
    (switched,) = machine.data_planes()
    assert switched.is_relative_to(machine.path)
    assert switched.read_bytes().endswith(b"data plane of 2.4")
    # Nothing is imported from the package that the machine began with.
    (stream,) = machine.streams()
    mapped = Path(f"/proc/{stream}/maps").read_text()
    assert "/cryptography/" in mapped
    assert f"{packaged.parent.parent}/" not in mapped
    reader.go_on_for(1)

    number = orders.give("s1", run={"release": PACKAGE, "expects": "2.4"})
    orders.wait_for("s1", order=number, running=PACKAGE, ready=True)
    assert machine.data_planes() == {packaged}
    reader.go_on_for(1)


def test_a_release_that_does_not_do_its_work_is_given_back_and_the_farm_is_told_why(
    farm: Farm,
) -> None:
    machine, orders = farm.machine(prove_within=6.0), farm.orders
    kits = {kind: farm.has(kind) for kind in ("dies", "hangs", "misreads")}
    machine.start()
    said = {}
    for kind, why in (
        ("dies", "its services ended 3 times"),
        ("hangs", "within 6 s"),
        ("misreads", "chunk 7 is not what it was"),
    ):
        kit = kits[kind]
        run = {"release": kit["release"], "expects": PACKAGE}
        number = orders.give("s1", install=kit, run=run)
        problem = orders.problem("s1", number)
        assert problem["code"] == "release-not-proven"
        assert why in problem["message"]
        said = orders.wait_for("s1", order=number, ready=True)
        assert said["running"] == PACKAGE
        assert machine.state().active == PACKAGE
    # What was ordered before is taken away by the order of something else.
    assert said["installed"] == [PACKAGE, "2.2", "2.3"]


def test_killed_at_any_stage_it_ends_at_the_ordered_release(farm: Farm, gates: Gates) -> None:
    machine, orders = farm.machine(), farm.orders
    kit = farm.gated("3.0", gates)
    machine.start()
    orders.wait_for("s1", ready=True)
    number = orders.give("s1", install=kit, run={"release": "3.0", "expects": PACKAGE})

    # While the kit is tried.
    gates.wait_until_reached("try")
    machine.kill_stream()
    gates.wait_until_reached("try")
    machine.kill_supervisor()
    assert machine.folder.installed() == {}
    machine.start()
    gates.wait_until_reached("try")
    (before,) = machine.streams()
    gates.open("try")

    # While it is on trial; each start is counted, and the third does its work.
    gates.wait_until_reached("stream")
    assert (machine.state().stage, machine.state().tries) == (Stage.TRIAL, 1)
    assert before not in machine.streams()
    machine.kill_supervisor()
    machine.start()
    gates.wait_until_reached("stream")
    assert (machine.state().stage, machine.state().tries) == (Stage.TRIAL, 2)
    assert farm.estate.session_counts()["s1"] == 0
    machine.kill_stream()
    gates.wait_until_reached("stream")
    gates.open("stream")
    orders.wait_for("s1", order=number, running="3.0", ready=True)
    assert machine.state().stage is Stage.SETTLED


def test_killed_while_services_end_it_goes_on_and_killed_while_it_goes_back_it_goes_back(
    farm: Farm, gates: Gates
) -> None:
    machine, orders = farm.machine(prove_within=6.0), farm.orders
    gates.open("try")
    gates.open("stream")
    first, second = farm.gated("3.1", gates), farm.has("hangs")
    machine.start()
    orders.wait_for("s1", ready=True)
    orders.give("s1", install=first)
    orders.wait_for("s1", installed=[PACKAGE, "3.1"])
    with machine.frozen_stream():
        # It does not end, so the supervisor waits for it.
        assert corral_at(machine, "use", "3.1").returncode == 0
        machine.wait_for(stage=Stage.STOPPING)
        machine.kill_supervisor()
    machine.start()
    machine.wait_for(stage=Stage.SETTLED, active="3.1")
    orders.wait_for("s1", running="3.1", ready=True)

    gates.close("stream")
    run = {"release": second["release"], "expects": "3.1"}
    number = orders.give("s1", install=second, run=run)
    gates.wait_until_reached("stream")
    assert (machine.state().stage, machine.state().active) == (Stage.GOING_BACK, "3.1")
    machine.kill_supervisor()
    machine.start()
    gates.wait_until_reached("stream")
    assert (machine.state().stage, machine.state().active) == (Stage.GOING_BACK, "3.1")
    gates.open("stream")
    said = orders.wait_for("s1", order=number, running="3.1", ready=True)
    assert said["problem"]["code"] == "release-not-proven"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB; only root can make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_what_has_no_room_leaves_nothing_and_comes_once_there_is_some(
    farm: Farm, small_disk: Path
) -> None:
    machine, orders = farm.machine(small_disk / "releases"), farm.orders
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(21 << 20))
    kit = farm.has("2.0")
    machine.start()
    number = orders.give("s1", install=kit)
    assert orders.problem("s1", number)["code"] == "releases-full"
    assert not machine.folder.coming.exists()
    assert machine.folder.installed() == {}

    # With no room for a single byte more, services run all the same, after a restart, too.
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    machine.kill_supervisor()
    orders.listen_anew()
    machine.start()
    orders.wait_for("s1", ready=True, supervised=True, running=PACKAGE)
    ballast.unlink()
    said = orders.wait_for("s1", order=number)
    assert (said["installed"], said["problem"]) == ([PACKAGE, "2.0"], None)


def test_a_kit_that_this_machine_does_not_trust_is_not_laid_out(farm: Farm) -> None:
    machine, orders = farm.machine(), farm.orders
    kit = farm.has("2.0")
    machine.folder.publishers.write_text("# nobody\n")
    machine.start()
    number = orders.give("s1", install=kit, run={"release": "2.0", "expects": PACKAGE})
    assert orders.problem("s1", number)["code"] == "release-untrusted"
    other = orders.give("s1", install={**farm.has("dies"), "release": "2.0"})
    machine.folder.publishers.write_text(farm.publisher.publishers)
    problem = orders.problem("s1", other)
    assert problem["code"] in {"release-unfit", "release-untrusted"}
    assert machine.state().active == PACKAGE
    assert machine.folder.installed() == {}
