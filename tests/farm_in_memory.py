"""A farm whose every port is in memory: what most tests of rules begin with."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from corral.farm.adapters.certificates import DerivedAuthority
from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.adapters.memory.backup_files import (
    MemoryBackupFiles,
    MemoryFarmFiles,
    MemorySnapshots,
)
from corral.farm.adapters.memory.certificate_files import MemoryCertificateFiles
from corral.farm.adapters.memory.chunk_stores import (
    CHUNK_BYTES,
    MemoryChunkStore,
    MemoryChunkStores,
)
from corral.farm.adapters.memory.disk_files import MemoryDiskFiles
from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.adapters.memory.guest_tools import MemoryGuestTools
from corral.farm.adapters.memory.image_locks import MemoryImageLocks
from corral.farm.adapters.memory.library_files import MemoryLibraryFiles
from corral.farm.adapters.memory.passwords import MemoryPasswords
from corral.farm.adapters.memory.records import MemoryTransactions
from corral.farm.adapters.memory.schema import MemoryDatabaseSchema
from corral.farm.adapters.memory.secret_files import MemorySecretFiles
from corral.farm.adapters.memory.sources import MemoryClock, MemoryIds, MemoryTokens
from corral.farm.adapters.memory.upgrade_ports import (
    MemoryBackupReaders,
    MemoryCanary,
    MemoryPrograms,
    MemoryReach,
)
from corral.farm.application.add_server import NewServer
from corral.farm.application.import_image import ImportOutcome, ImportRequest
from corral.farm.application.ports.backups import Restoration
from corral.farm.application.ports.farm_key import SignatureCheck
from corral.farm.application.ports.passwords import Passwords
from corral.farm.application.ports.records import Transactions
from corral.farm.application.progress import Progress
from corral.farm.application.sign_in import SharedAttempts
from corral.farm.application.take_server_report import (
    ReportedReplica,
    ReportedSession,
    ServerReport,
)
from corral.farm.application.verbs import Application
from corral.farm.domain.backup.backup import BackupId
from corral.farm.domain.backup.observation import Observation
from corral.farm.domain.delivery.device import Device, MacAddress, device_name
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.domain.estate.server import Server, server_name
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import Version, VersionName


@dataclass
class MemoryPorts:
    """One adapter in memory for each port; tests replace single ones."""

    files: dict[Path, bytes] = field(default_factory=dict)
    transactions: Transactions = field(default_factory=MemoryTransactions)
    farm_key: MemoryFarmKey = field(default_factory=MemoryFarmKey)
    signature_check: SignatureCheck = is_signed
    image_locks: MemoryImageLocks = field(default_factory=MemoryImageLocks)
    secret_files: MemorySecretFiles = field(default_factory=MemorySecretFiles)
    certificate_files: MemoryCertificateFiles = field(default_factory=MemoryCertificateFiles)
    passwords: Passwords = field(default_factory=MemoryPasswords)
    attempts: SharedAttempts = field(default_factory=SharedAttempts)
    ids: MemoryIds = field(default_factory=MemoryIds)
    tokens: MemoryTokens = field(default_factory=MemoryTokens)
    clock: MemoryClock = field(default_factory=MemoryClock)
    snapshots: MemorySnapshots = field(default_factory=MemorySnapshots)
    farm_files: MemoryFarmFiles = field(default_factory=MemoryFarmFiles)
    backup_files: MemoryBackupFiles = field(default_factory=MemoryBackupFiles)
    release: str = "0.1.0"
    reach: MemoryReach = field(default_factory=MemoryReach)
    canary_reader: MemoryCanary = field(default_factory=MemoryCanary)
    schema: MemoryDatabaseSchema = field(default_factory=MemoryDatabaseSchema)

    def __post_init__(self) -> None:
        self.chunk_stores = MemoryChunkStores(self.files)
        self.release_programs = MemoryPrograms(self.schema)
        self.disk_files = MemoryDiskFiles(self.files)
        self.guest_tools = MemoryGuestTools(self.files)
        self.certificate_authority = DerivedAuthority(self.farm_key)
        self.library_files = MemoryLibraryFiles(self.files, self.signature_check, self.clock)
        self.backup_readers = MemoryBackupReaders(self.library_files)


class FarmInMemory:
    """A farm without servers; each method takes one step as a person or a server would."""

    def __init__(self, ports: MemoryPorts | None = None) -> None:
        self.ports = ports or MemoryPorts()
        self.application = Application(self.ports)
        created = self.application.create_farm(
            farm_name("home"), (ApiUrl("http://127.0.0.1:10800"),)
        )
        self.administrator = created.administrator
        self._devices = 0
        # Most tests say themselves who holds what.
        self.application.set_copies(FIRST_STORE.name, 1)

    def add_server(self, name: str) -> Server:
        place = 1 + len(self.application.list_servers())
        return self.application.add_server(
            NewServer(
                name=server_name(name),
                store_path=Path("/stores", name),
                listen=(Address("127.0.0.1", 10_800 + place),),
                chunks_listen=Address("127.0.0.1", 10_900 + place),
            )
        ).server

    def store_of(self, name: str) -> MemoryChunkStore:
        return self.ports.chunk_stores.stores[Path("/stores", name)]

    def import_disk(self, image: str, content: bytes, **wishes: bool) -> ImportOutcome:
        path = Path("/disks", image)
        self.ports.files[path] = content
        request = ImportRequest(image_name(image), path, **wishes)  # type: ignore[arg-type] # booleans only
        return self.application.import_image(request, Progress())

    def add_device(self, name: str, image: str | None = None) -> Device:
        self._devices += 1
        place = self._devices
        return self.application.register_device(
            device_name(name),
            MacAddress.parse(f"52:54:00:00:{place // 256:02x}:{place % 256:02x}"),
            None if image is None else image_name(image),
        ).device

    def report(
        self,
        server: Server,
        *,
        holds: tuple[Version, ...] = (),
        sessions: tuple[tuple[Device, Version], ...] = (),
        removed: tuple[Version, ...] = (),
    ) -> None:
        """Let a server that knows all of the farm's news say that it holds and streams these."""
        self.application.take_server_report(
            server.id,
            ServerReport(
                generation=self.generation,
                removed=tuple(version.root for version in removed),
                replicas=tuple(
                    ReportedReplica(
                        v.root, ReplicaState.COMPLETE, v.size_bytes, v.size_bytes, v.size_bytes
                    )
                    for v in holds
                ),
                sessions=tuple(
                    ReportedSession(d.id, str(v.name), "192.0.2.9:40000", self.ports.clock.now(), 7)
                    for d, v in sessions
                ),
            ),
        )

    @property
    def generation(self) -> int:
        return self.application.show_farm().farm.generation

    def replicate(self, version: Version, server: Server) -> None:
        """Have a server hold a version, and let it say that it does."""
        self.application.replicate_version(version.name, [server.name])
        self.report(server, holds=(version,))

    def be_restored(self) -> None:
        """Become a farm that was restored just now, from a backup that knew the same.

        Somebody has accepted it, and all servers have shown that they hold nothing else.
        """
        self.begin_to_observe()
        now = self.ports.clock.now()
        with self.ports.transactions.writing() as records:
            restoration = records.restorations.find()
            assert restoration is not None
            records.restorations.put(replace(restoration, accepted_at=now))
            for server in records.servers.all():
                records.observations.put(Observation(server.id, now, 0, settled_at=now))

    def begin_to_observe(self) -> None:
        """Become a farm that was restored just now, and that nobody has looked at."""
        now = self.ports.clock.now()
        with self.ports.transactions.writing() as records:
            before = records.farm.get().generation
            records.restorations.put(Restoration(BackupId(UUID(int=1)), now, now, before))
            records.observations.forget_all()
            # As the clock of a real farm is above whatever was counted to since.
            records.farm.raise_generation_to(before + 1_000)
        self.wait(1)

    def wait(self, seconds: float) -> None:
        self.ports.clock.advance(timedelta(seconds=seconds))

    def version(self, text: str) -> Version:
        return self.application.show_version(VersionName.parse(text)).version


def disk(*chunks: int) -> bytes:
    """Make a disk of whole chunks, each filled with one byte; 0 is a hole."""
    return b"".join(bytes([filling]) * CHUNK_BYTES for filling in chunks)
