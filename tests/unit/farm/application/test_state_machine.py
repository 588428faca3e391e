"""Everything that people, devices, servers and workers do, in any order, cut at any step.

Each step is taken on a farm in memory and on one in SQLite, which must answer alike; a process may
die before and after each commit and each call of a port. What must hold of a farm is looked at
after each.
"""

from pathlib import Path

import pytest
from tests.farm_in_memory import disk
from tests.unit.farm.application.machine.access import AccessSteps, remember
from tests.unit.farm.application.machine.computers import ComputerSteps, ask
from tests.unit.farm.application.machine.devices import DeviceSteps
from tests.unit.farm.application.machine.estate import EstateSteps
from tests.unit.farm.application.machine.farm import DONE, Farm
from tests.unit.farm.application.machine.images import DISK, ImageSteps, all_reported
from tests.unit.farm.application.machine.steps import Steps, bounds
from tests.unit.farm.application.machine.work import WorkSteps
from tests.unit.farm.application.machine.writing import WritingSteps

from corral.farm.application.add_server import NewServer
from corral.farm.application.change_computer import ComputerEdit
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.domain.access.account import account_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.user import user_group_name, user_name
from corral.farm.domain.delivery.device import MacAddress, device_name
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name

pytestmark = pytest.mark.thorough

ADA, BOB = account_name("ada"), account_name("bob")
PASSWORD = Password("correct horse battery")


class FurnishedSteps(Steps):
    """Two servers that hold an image, and three devices that start it."""

    def furnish(self) -> None:
        assert self.take(furnish) == DONE
        assert self.take(all_reported) == DONE


def furnish(farm: Farm) -> None:
    app = farm.application
    for place in (1, 2):
        app.add_server(
            NewServer(
                name=server_name(f"s{place}"),
                store_path=Path("/", "xy"[place - 1]),
                listen=(Address("127.0.0.1", 10_800 + place),),
                chunks_listen=Address("127.0.0.1", 10_900 + place),
            )
        )
    farm.ports.files[DISK] = disk(1, 0, 9)
    app.import_image(ImportRequest(image_name("i"), DISK), Progress())
    for place in (1, 2, 3):
        mac = MacAddress.parse(f"52:54:00:00:00:0{place}")
        app.register_device(device_name(f"pc{place}"), mac, image_name("i"))


class Everything(EstateSteps, DeviceSteps, ImageSteps, WritingSteps, AccessSteps, WorkSteps):
    """From an empty farm."""


class Placing(EstateSteps, DeviceSteps, ImageSteps, FurnishedSteps):
    """Devices, and the servers that are to hold what they start."""


class Writing(DeviceSteps, ImageSteps, WritingSteps, FurnishedSteps):
    """Devices that write, and what becomes of it."""


class Computing(ComputerSteps, FurnishedSteps):
    """Users, the computers that they use, and what should be on those."""

    def furnish(self) -> None:
        super().furnish()
        assert self.take(furnish_users) == DONE


def furnish_users(farm: Farm) -> None:
    for name in ("ada", "bob"):
        farm.application.add_user(user_name(name))
    app, laptop, bob = farm.application, computer_name("laptop"), user_name("bob")
    app.add_user_group(user_group_name("all"), [bob])
    app.assign_image(image_name("i"), [user_name("ada")], [user_group_name("all")])
    ask(farm, laptop, user_name("ada"), has_code=True)
    app.change_computer(laptop, ComputerEdit(add_users=(bob,)))
    # No device holds a version back from being retired.
    for view in app.list_devices():
        app.remove_device(view.device.name)


class Working(ImageSteps, WorkSteps, FurnishedSteps):
    """Tasks, and the workers that run them."""


TestEverything = Everything.TestCase
TestEverything.settings = bounds(steps=40)
TestPlacing = Placing.TestCase
TestPlacing.settings = bounds(steps=30)
TestWriting = Writing.TestCase
TestWriting.settings = bounds(steps=30)
TestComputing = Computing.TestCase
TestComputing.settings = bounds(steps=30)
TestWorking = Working.TestCase
TestWorking.settings = bounds(steps=30)


class Access(AccessSteps):
    """Who may do what; one of them has chosen a password, and one has yet to."""

    def furnish(self) -> None:
        def step(farm: Farm) -> None:
            remember(farm, ADA, PASSWORD)
            farm.application.add_account(ADA, PASSWORD)
            remember(farm, BOB, farm.application.add_account(BOB).secret)

        assert self.take(step) == DONE


TestAccess = Access.TestCase
TestAccess.settings = bounds(steps=30)
