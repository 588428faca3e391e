"""What a relay is told to keep, and what the computers of its site are told of it."""

import base64
import struct
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_server import NewServer
from corral.farm.application.add_site import NewSite
from corral.farm.application.change_computer import ComputerEdit
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.mirror_to_relay import MirrorToRelay
from corral.farm.application.ports.records import Transactions
from corral.farm.application.take_check_in import ToldOrders
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.access.ticket import RELAYED_TICKET_LIFE, TICKET_LIFE
from corral.farm.domain.check.finding import Kind
from corral.farm.domain.computer.check_in import MachineState
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.computer.why import Why
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.collection import collection_name
from corral.farm.domain.estate.replication import Bandwidth, Window
from corral.farm.domain.estate.server import Server, server_name
from corral.farm.domain.estate.site import site_name
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import Version
from corral.farm.domain.task.task import TaskKind
from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk
from tests.unit.farm.application.computing import Laptop, seen

PARIS = site_name("paris")
OFFICE = collection_name("paris-office")
LAPTOP = computer_name("laptop")
DEBIAN, FEDORA = image_name("debian"), image_name("fedora")


LIMIT = Bandwidth(64 << 10)


@dataclass
class Branch:
    """A farm with the server ``s1``, and a site with the relay ``r1`` and a laptop of rboston's."""

    farm: FarmInMemory
    seconds: float = 0.0
    mirror: MirrorToRelay = field(init=False)

    def __post_init__(self) -> None:
        app = self.farm.application
        self.mirror = MirrorToRelay(
            self.farm.ports.transactions, self.farm.ports.clock, lambda: self.seconds
        )
        self.s1 = self.farm.add_server("s1")
        app.add_site(NewSite(PARIS))
        app.add_collection(NewCollection(OFFICE, PARIS))
        self.debian = self.farm.import_disk("debian", disk(1, 2)).version
        self.fedora = self.farm.import_disk("fedora", disk(3)).version
        self.r1 = self.add_relay("r1", 7)
        self.laptop = Laptop(self.farm)
        self.laptop.register("rboston")
        app.change_computer(LAPTOP, ComputerEdit(collection=OFFICE))

    def add_relay(self, name: str, place: int) -> Server:
        return self.farm.application.add_server(
            NewServer(
                name=server_name(name),
                store_path=Path("/stores", name),
                listen=(Address("192.0.2.7", 10_800 + place),),
                chunks_listen=Address("192.0.2.7", 10_900 + place),
                management=Address("192.0.2.7", 10_700 + place),
                site=PARIS,
                relay=True,
            )
        ).server

    def look(self, server: Server | None = None) -> bool:
        self.seconds += 1
        return self.mirror((server or self.r1).id)

    def copies(self, server: Server | None = None) -> dict[str, ReplicaState]:
        view = self.farm.application.show_server((server or self.r1).name)
        return {str(one.name): one.replica.state for one in view.held}

    def has(self, *versions: Version, **facts: object) -> None:
        """Let the relay say that it has these in full."""
        report = ServerReport(
            self.farm.generation,
            replicas=tuple(
                ReportedReplica(one.root, ReplicaState.COMPLETE, one.size_bytes, one.size_bytes)
                for one in versions
            ),
            release="0.1.0",
        )
        self.farm.application.take_server_report(
            self.r1.id,
            replace(report, **facts),  # type: ignore[arg-type] # each test names fields of it
        )


@pytest.fixture
def branch(transactions: Transactions) -> Branch:
    transactions.set_up()
    return Branch(FarmInMemory(MemoryPorts(transactions=transactions)))


def test_a_relay_keeps_what_its_site_is_assigned_and_nothing_else(branch: Branch) -> None:
    app = branch.farm.application
    assert not branch.look()
    assert branch.copies() == {}
    branch.laptop.assign("debian")
    assert branch.look()
    assert branch.copies() == {"debian/1": ReplicaState.WANTED}
    assert not branch.look()
    app.set_copies(FIRST_STORE.name, None)
    assert branch.copies() == {"debian/1": ReplicaState.WANTED}


def test_what_somebody_elsewhere_is_assigned_does_not_come(branch: Branch) -> None:
    other = Laptop(branch.farm, "desktop")
    other.register("jdoe")
    other.assign("fedora")
    assert not branch.look()
    branch.farm.application.change_computer(
        computer_name("desktop"), ComputerEdit(collection=OFFICE)
    )
    assert branch.look()
    assert branch.copies() == {"fedora/1": ReplicaState.WANTED}


def test_what_is_not_assigned_any_more_leaves_and_comes_again(branch: Branch) -> None:
    app = branch.farm.application
    branch.laptop.assign("debian")
    branch.look()
    branch.has(branch.debian)
    app.unassign_image(DEBIAN, [user_name("rboston")])
    assert branch.look()
    assert branch.copies() == {"debian/1": ReplicaState.REMOVING}
    assert branch.copies(branch.s1) == {
        "debian/1": ReplicaState.COMPLETE,
        "fedora/1": ReplicaState.COMPLETE,
    }
    branch.laptop.assign("debian")
    assert not branch.look()
    branch.has(removed=(branch.debian.root,))
    assert branch.look()
    assert branch.copies() == {"debian/1": ReplicaState.WANTED}


def test_what_was_asked_for_by_hand_stays(branch: Branch) -> None:
    branch.farm.application.replicate_version(branch.fedora.name, [branch.r1.name])
    branch.has(branch.fedora)
    assert not branch.look()
    assert branch.copies() == {"fedora/1": ReplicaState.COMPLETE}


def test_the_only_whole_copy_does_not_leave(branch: Branch) -> None:
    branch.laptop.assign("debian")
    branch.look()
    branch.has(branch.debian)
    lost = ReportedReplica(branch.debian.root, ReplicaState.DAMAGED, 0, branch.debian.size_bytes)
    report = ServerReport(branch.farm.generation, replicas=(lost,))
    branch.farm.application.take_server_report(branch.s1.id, report)
    branch.farm.application.unassign_image(DEBIAN, [user_name("rboston")])
    assert not branch.look()
    assert branch.copies() == {"debian/1": ReplicaState.COMPLETE}


def test_nothing_new_comes_while_somebody_works_on_it(branch: Branch) -> None:
    app = branch.farm.application
    app.change_server(branch.r1.name, ServerEdit(maintenance=True))
    branch.laptop.assign("debian")
    assert not branch.look()
    app.change_server(branch.r1.name, ServerEdit(maintenance=False))
    assert branch.look()


def test_it_is_looked_at_only_after_a_change_or_a_while(branch: Branch) -> None:
    branch.laptop.assign("debian")
    assert branch.look()
    branch.look()
    with branch.farm.ports.transactions.writing() as records:
        # Nobody notes this, as nobody notes what only a date brings about.
        records.replicas.remove(branch.r1.id, branch.debian.root)
    assert not branch.look()
    branch.seconds += 30
    assert branch.look()


def test_what_comes_to_a_relay_keeps_to_the_rates_and_hours_of_its_site(branch: Branch) -> None:
    app = branch.farm.application
    branch.laptop.assign("debian")
    branch.look()
    app.limit_replication(PARIS, LIMIT)
    assert app.configure_server(branch.r1.id).replication_rate == LIMIT.rate
    assert app.configure_server(branch.s1.id).replication_rate is None
    now = branch.farm.ports.clock.now()
    begins = (now - timedelta(minutes=1)).strftime("%H:%M")
    ends = (now + timedelta(minutes=1)).strftime("%H:%M")
    app.limit_replication(PARIS, Bandwidth(None, (Window.parse(f"{begins}-{ends}=2K"),)))
    assert app.configure_server(branch.r1.id).replication_rate == 2048
    branch.farm.wait(120)
    assert app.configure_server(branch.r1.id).replication_rate is None


def test_each_transfer_is_a_task_that_can_be_paused_and_cancelled(branch: Branch) -> None:
    app = branch.farm.application
    branch.laptop.assign("debian")
    branch.look()
    (task,) = (one.task for one in app.list_tasks())
    assert (task.request.kind, task.request.object) == (TaskKind.RELAY, "debian/1 to r1")

    def told() -> list[str]:
        return [str(one.name) for one in app.configure_server(branch.r1.id).replicas]

    assert told() == ["debian/1"]
    app.pause_task(task.number)
    assert told() == []
    app.resume_task(task.number)
    assert told() == ["debian/1"]
    app.cancel_task(task.number)
    assert not branch.look()
    assert told() == []
    app.retry_task(task.number)
    assert told() == ["debian/1"]
    branch.has(branch.debian)
    app.cancel_task(task.number)
    assert told() == ["debian/1"]


def sources(told: ToldOrders) -> dict[str, int]:
    return {one.server: len(one.has) for one in told.orders.sources}


def test_computers_are_told_of_a_version_before_their_relay_has_it(branch: Branch) -> None:
    branch.laptop.assign("debian")
    branch.look()
    told = branch.laptop.check_in()
    assert [str(one.version) for one in told.orders.machines] == ["debian/1"]
    assert sources(told) == {"r1": 0}
    assert told.orders.not_yet == (branch.debian.root,)
    assert told.orders.api_urls == ("https://192.0.2.7:10707", "http://127.0.0.1:10800")
    branch.has(branch.debian)
    after = branch.laptop.check_in()
    assert (sources(after), after.orders.not_yet) == ({"r1": 1}, ())
    assert after.generation == told.generation + 1


def test_nobody_elsewhere_fetches_from_a_relay(branch: Branch) -> None:
    branch.laptop.assign("debian")
    branch.look()
    branch.has(branch.debian)
    other = Laptop(branch.farm, "desktop")
    other.register("jdoe")
    other.assign("debian")
    told = other.check_in()
    assert sources(told) == {"s1": 1}
    assert told.orders.api_urls == ("http://127.0.0.1:10800",)
    s1 = branch.farm.application.configure_server(branch.s1.id)
    assert all(peer.server != "r1" for one in s1.replicas for peer in one.peers)
    assert s1.others == ()
    r1 = branch.farm.application.configure_server(branch.r1.id)
    assert [[peer.server for peer in one.peers] for one in r1.replicas] == [["s1"]]
    assert (r1.exports, r1.server.relay, r1.release) == ((), True, "0.1.0")


def test_tickets_at_a_relay_outlive_a_cut_line(branch: Branch) -> None:
    branch.laptop.assign("debian")
    near = branch.laptop.check_in().tickets[0].ticket
    branch.farm.application.change_server(branch.r1.name, ServerEdit(maintenance=True))
    far = branch.laptop.check_in().tickets[0].ticket
    assert expiry(near) - expiry(far) == RELAYED_TICKET_LIFE - TICKET_LIFE


def test_who_works_on_a_relay_sends_its_site_to_the_other_servers(branch: Branch) -> None:
    branch.laptop.assign("debian")
    branch.farm.application.change_server(branch.r1.name, ServerEdit(maintenance=True))
    told = branch.laptop.check_in()
    assert (sources(told), told.orders.not_yet) == ({"s1": 1}, ())
    assert told.orders.api_urls == ("http://127.0.0.1:10800",)


def test_a_relay_of_another_release_gives_nothing_and_everybody_is_told_why(
    branch: Branch,
) -> None:
    app = branch.farm.application
    branch.laptop.assign("debian")
    branch.look()
    refusal = "relay 'r1' is of release 0.2.0, its farm of 0.1.0"
    branch.has(branch.debian, release="0.2.0", refusal=refusal)
    told = branch.laptop.check_in()
    assert (sources(told), told.orders.not_yet) == ({"r1": 0}, (branch.debian.root,))
    (machine,) = told.orders.machines
    branch.laptop.check_in(seen(machine, MachineState.READY_TO_DOWNLOAD))
    (view,) = app.list_user_images(user_name("rboston"))
    assert view.difference is not None
    assert (view.difference.why, view.difference.text) == (Why.READY_TO_DOWNLOAD, refusal)
    (found,) = (one for one in app.check_farm().findings if one.kind is Kind.RELAY_REFUSES)
    assert (found.thing, found.message) == ("server r1", refusal)
    shown = app.show_server(branch.r1.name).server
    assert shown.last_report is not None
    assert (shown.last_report.release, shown.refusal) == ("0.2.0", refusal)


def test_a_release_does_not_wait_for_a_relay(branch: Branch) -> None:
    branch.laptop.assign("debian")
    branch.look()
    branch.has(branch.debian)
    second = branch.farm.import_disk("debian", disk(1, 9)).version
    branch.look()
    assert branch.copies()[str(second.name)] is ReplicaState.WANTED
    told = branch.laptop.check_in()
    assert [str(one.version) for one in told.orders.machines] == [str(second.name)]
    assert told.orders.not_yet == (second.root,)


def expiry(ticket: str) -> timedelta:
    """Give the moment in a ticket."""
    raw = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
    return timedelta(seconds=struct.unpack_from("<BB32sQ16s", raw)[3])
