"""A farm whose process can die at any step and be started again, with servers and workers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.farm_in_memory import MemoryPorts, disk
from tests.power_cut import Cut, CutTransactions, Fuse, PowerCutError
from tests.unit.farm.application.machine.ledger import Ledger

from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.adapters.memory.tasks import MemoryTaskEngine
from corral.farm.application.configure_server import WantedOverlay
from corral.farm.application.log_device_in import LoginAnswer
from corral.farm.application.ports.disk_files import RawFile
from corral.farm.application.ports.records import Records, Transactions
from corral.farm.application.progress import Progress
from corral.farm.application.sign_in import SharedAttempts
from corral.farm.application.take_server_report import (
    ReportedOverlay,
    ReportedReplica,
    ReportedSession,
    ServerReport,
)
from corral.farm.application.verbs import Application
from corral.farm.application.work_on_task import made
from corral.farm.domain.access.token import Token
from corral.farm.domain.delivery.device import DeviceName
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.domain.estate.server import Server, ServerName
from corral.farm.domain.image.overlay import OverlayCondition, OverlayId
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.task.task import Task

URL = ApiUrl("http://127.0.0.1:10800")
CUT, DONE = "cut", "done"


@dataclass
class Farm:
    """A farm's process can die; its stores, its records and its tasks' queue stay."""

    transactions: Transactions
    key: MemoryFarmKey
    fuse: Fuse = field(default_factory=Fuse)
    streaming: set[tuple[ServerName, DeviceName]] = field(default_factory=set)
    writing: dict[OverlayId, DeviceName] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    """Of each account, what somebody was told to sign in with, or chose."""
    tokens: dict[Token, str] = field(default_factory=dict)
    """Everybody's, with the account that each was given to."""
    held: list[Task] = field(default_factory=list)
    """What workers believe to be at work on."""
    published_by: dict[int, list[VersionName]] = field(default_factory=dict)
    """What the runs of each task have published."""
    steady: float = 0.0
    engines: dict[str, Any] = field(default_factory=dict)
    """What is kept on each computer, whatever becomes of the farm."""
    keys: dict[str, int] = field(default_factory=dict)
    """How often each computer has made itself a key."""

    def __post_init__(self) -> None:
        self.ports: Any = MemoryPorts(
            transactions=CutTransactions(self.transactions, self.fuse), farm_key=self.key
        )
        self.stores = self.ports.chunk_stores
        for port in ("chunk_stores", "secret_files"):
            setattr(self.ports, port, Cut(getattr(self.ports, port), self.fuse))
        self.queue = MemoryTaskEngine()
        self.engine: Any = Cut(self.queue, self.fuse)
        self.application = Application(self.ports)
        created = self.application.create_farm(farm_name("home"), (URL,))
        assert created.administrator.secret is not None
        self.passwords["admin"] = created.administrator.secret.reveal()
        self.ledger = Ledger.of(self.transactions)

    def take(self, step: Callable[["Farm"], object], cut_after: int | None) -> str:
        """Say what became of a step, and hold the audit log against what it changed."""
        self.fuse.steps = cut_after
        try:
            step(self)
        except PowerCutError:
            self.application = Application(self.ports)
            self.ports.attempts = SharedAttempts()
            self.held.clear()
            return CUT
        except DomainError as error:
            return error.code
        finally:
            self.fuse.steps = None
            before, self.ledger = self.ledger, Ledger.of(self.transactions)
            before.must_lead_to(self.ledger)
        return DONE

    # Servers.

    def serve(self, server: Server) -> None:
        """Do what the server's stream process does between two reports, and report."""
        wanted = self.application.configure_server(server.id)
        store = self.stores.stores[server.store.path]
        for root in wanted.removals:
            store.remove_version(root)
        for replica in wanted.replicas:
            for other in self.stores.stores.values():
                if not store.holds(replica.root) and other.holds(replica.root):
                    store.manifests[replica.root] = other.manifests[replica.root]
                    store.sizes[replica.root] = other.sizes[replica.root]
                    store.chunks.update(
                        {n: other.chunks[n] for n in store.manifests[replica.root] if n}
                    )
        self.application.take_server_report(
            server.id,
            ServerReport(
                generation=wanted.generation,
                removed=wanted.removals,
                replicas=tuple(
                    ReportedReplica(
                        replica.root,
                        ReplicaState.COMPLETE
                        if store.holds(replica.root)
                        else ReplicaState.FETCHING,
                        replica.size_bytes,
                        replica.size_bytes,
                        0,
                    )
                    for replica in wanted.replicas
                ),
                sessions=tuple(
                    ReportedSession(
                        view.device.id, "i/1", f"{server.name}:1", self.ports.clock.now(), 0
                    )
                    for view in self.application.list_devices()
                    if (server.name, view.device.name) in self.streaming
                ),
                overlays=tuple(self._written(server, one) for one in wanted.overlays),
            ),
        )

    def _written(self, server: Server, wanted: WantedOverlay) -> ReportedOverlay:
        """Keep what a device writes, or make it a version; made again it is the same one."""
        overlay = wanted.overlay
        if not wanted.is_sealing:
            clients = int(overlay.id in self.writing)
            return ReportedOverlay(overlay.id, OverlayCondition.READY, 4096, clients=clients)
        self.writing.pop(overlay.id, None)  # nobody is let in while it is sealed
        path = Path("/overlays", str(overlay.id))
        self.ports.files[path] = disk(9, 0, 10 + overlay.id.int % 200)
        store = self.stores.stores[server.store.path]
        sealed = store.import_disk(RawFile(path, len(self.ports.files[path])), Progress())
        return ReportedOverlay(
            overlay.id, OverlayCondition.SEALED, 0, 0, 0, "", sealed.root, sealed.size_bytes
        )

    def must_hold(self, answer: LoginAnswer) -> None:
        """Look that every server of an answer has all that the device may ask it for."""
        assert answer.servers
        assert not answer.device.disabled
        for server in answer.servers:
            assert self.stores.stores[server.store.path].holds(answer.version.root)
        if answer.overlay is None:
            image = self.application.show_image(answer.version.name.image)
            assert image.only_server in {None, *(server.name for server in answer.servers[:1])}
            assert image.only_server is None or len(answer.servers) == 1
        else:
            assert answer.overlay.device_id == answer.device.id
            assert [server.id for server in answer.servers] == [answer.overlay.server_id]

    # Workers.

    def around(self, task: Task) -> "Around":
        return Around(self, task)

    def wait(self, seconds: float) -> None:
        self.ports.clock.advance(timedelta(seconds=seconds))

    # What can be seen.

    def seen(self) -> tuple[object, ...]:
        """Give what the lists and screens show of it."""
        app = self.application
        return (
            app.show_farm(),
            app.list_sites(),
            app.list_collections(),
            app.list_stores(),
            app.list_servers(),
            app.list_images(),
            app.list_devices(),
            app.show_status(),
            app.show_replication(),
            app.list_accounts(),
            app.list_groups(),
            app.list_roles(),
            app.list_tokens(),
            app.list_tasks(ended=20),
            app.list_schedules(),
            app.take_login_snapshot(),
            app.check_farm(),
            app.list_backups(),
            app.show_balance(),
            app.show_task_rules(),
            app.list_users(),
            app.list_user_groups(),
            app.list_computers(),
            app.list_codes(),
            *(app.list_image_users(view.image.name) for view in app.list_images()),
            *(app.list_computer_images(view.computer.name) for view in app.list_computers()),
        )

    def versions(self) -> dict[VersionName, RootHash]:
        """Give the root of every version that is published."""
        with self.transactions.reading() as records:
            return {one.name: one.root for one in records.versions.all() if one.is_published}


@dataclass
class Around:
    """What a worker lends to a task. While a task waits, the servers of the farm go on."""

    farm: Farm
    task: Task
    progress: Progress = field(default_factory=Progress)
    waits_left: int = 3

    def wait(self, seconds: float) -> None:
        del seconds
        for view in self.farm.application.list_servers():
            self.farm.serve(view.server)
        self.waits_left -= 1
        if not self.waits_left:
            self.progress.cancel()

    def say(self, text: str) -> None:
        del text

    def made(self, records: Records, result: str) -> None:
        made(records, self.task.number, self.task.run, result)
