"""What the farm check says of computers."""

from datetime import timedelta

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.application.computing import ENGINE, Laptop

from corral.farm.application.take_check_in import ToldOrders
from corral.farm.domain.check.computers import SILENT
from corral.farm.domain.check.finding import Finding, Kind, Severity
from corral.farm.domain.computer.check_in import CheckIn, KitState, MachineState, SeenKit
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.image.image import image_name

OF_COMPUTERS = {
    Kind.MACHINES_TROUBLED,
    Kind.ENGINES_TROUBLED,
    Kind.COMPUTERS_SILENT,
    Kind.COMPUTERS_WAITING,
}


def found(farm: FarmInMemory) -> dict[Kind, Finding]:
    findings = farm.application.check_farm().findings
    return {one.kind: one for one in findings if one.kind in OF_COMPUTERS}


@pytest.fixture
def laptops(farm: FarmInMemory) -> list[Laptop]:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(server, holds=(version,))
    made = []
    for number in range(2):
        laptop = Laptop(farm, f"laptop-{number}")
        laptop.register(f"user-{number}")
        laptop.assign("debian")
        laptop.check_in()
        made.append(laptop)
    return made


def test_nothing_is_said_of_computers_that_get_on(
    farm: FarmInMemory, laptops: list[Laptop]
) -> None:
    assert found(farm) == {}
    for laptop in laptops:
        laptop.says(MachineState.DOWNLOADING)
    assert found(farm) == {}
    for laptop in laptops:
        laptop.says(MachineState.PROVEN)
    assert found(farm) == {}


def test_what_went_back_is_one_finding_with_all_computers(
    farm: FarmInMemory, laptops: list[Laptop]
) -> None:
    for laptop in laptops:
        laptop.says(MachineState.WENT_BACK, code="not-healthy", problem="its agent is silent")
    (troubled,) = found(farm).values()
    assert (troubled.kind, troubled.thing) == (Kind.MACHINES_TROUBLED, "image debian")
    assert troubled.message == "went-back on laptop-0, laptop-1: its agent is silent"
    assert troubled.computers == ("laptop-0", "laptop-1")
    assert troubled.kind.severity is Severity.WARNING
    # Told to try again it is under way, and nobody has to look at it.
    farm.application.retry_machine(computer_name("laptop-0"), image_name("debian"))
    assert found(farm)[Kind.MACHINES_TROUBLED].computers == ("laptop-1",)


def with_kit(laptop: Laptop, state: KitState) -> ToldOrders:
    laptop.sequence += 1
    kit = SeenKit("1.0.0", state=state)
    now = laptop.farm.ports.clock.now()
    said = CheckIn(laptop.id, laptop.sequence, now, ENGINE, kit, ())
    farm_id = laptop.farm.application.show_farm().farm.id
    return laptop.farm.application.take_check_in(farm_id, said)


def test_engines_that_went_back_are_named(farm: FarmInMemory, laptops: list[Laptop]) -> None:
    with_kit(laptops[0], KitState.DOWNLOADING)
    assert Kind.ENGINES_TROUBLED not in found(farm)
    with_kit(laptops[0], KitState.WENT_BACK)
    assert found(farm)[Kind.ENGINES_TROUBLED].computers == ("laptop-0",)


def test_who_is_silent_and_who_waits_is_named_until_somebody_decides(
    farm: FarmInMemory, laptops: list[Laptop]
) -> None:
    Laptop(farm, "stranger").ask("user-0")
    assert found(farm)[Kind.COMPUTERS_WAITING].computers == ("stranger",)
    farm.wait((SILENT + timedelta(hours=1)).total_seconds())
    laptops[0].check_in()
    silent = found(farm)[Kind.COMPUTERS_SILENT]
    assert silent.message == "not heard of for 14 days: laptop-1"
    assert silent.kind.severity is Severity.NOTICE
    farm.application.kill_computer(computer_name("laptop-1"))
    farm.application.refuse_computer(computer_name("stranger"))
    assert found(farm) == {}
