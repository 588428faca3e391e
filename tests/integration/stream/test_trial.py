"""A release on trial offers nothing before it has tested itself, and says how that went."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from uuid import UUID

import corral_native as native
import pytest
from demo.processes import wait_until

from corral.farm.adapters.farm_folder.releases_folder import ReleasesFolder, Word
from corral.farm.domain.image.root import RootHash
from corral.farm.entrypoints.stream.host import StreamHost
from corral.farm.entrypoints.stream.overlays import Ledger
from corral.farm.entrypoints.stream.release_watch import ReleaseWatch
from corral.farm.entrypoints.stream.releases import Supervised
from corral.wire.server import Export, ReleaseProblem, ServerConfiguration, ServerFile
from tests.native.conftest import FARM, StoreWithDisk, reopened, write_disk
from tests.native.test_stream import KEY, PUBLIC_KEY, compare

SECONDS = 60.0


@dataclass
class Trial:
    """A stream process without its loop, started on trial over a store."""

    home: Path
    store: native.Store
    told: Event = field(default_factory=Event)
    folder: ReleasesFolder = field(init=False)
    host: StreamHost = field(init=False)
    watch: ReleaseWatch = field(init=False)

    def __post_init__(self) -> None:
        key = base64.b64encode(PUBLIC_KEY).decode()
        file = ServerFile(
            farm=UUID(FARM),
            farm_public_key=key,
            server="s1",
            token=FARM,
            api_urls=(),
            store=str(self.store.path),
            listen=(self.address,),
            chunks="127.0.0.1:0",
        )
        server = native.StreamServer([(self.address, "open")], None, PUBLIC_KEY)
        self.folder = ReleasesFolder(self.home / "releases")
        supervised = Supervised(self.folder, "1.1.7.1", "0.1.0", is_on_trial=True)
        self.host = StreamHost(
            file,
            self.store,
            server,
            self.told.set,
            Ledger(self.home / "ledger"),
            is_held=supervised.is_on_trial,
        )
        self.watch = ReleaseWatch.over(self.host, supervised, self.told.set)
        self.host.start()

    @property
    def address(self) -> str:
        return f"unix:{self.home}/nbd"

    def begin(self, root: str) -> None:
        signature = base64.b64encode(KEY.sign(RootHash(root).signed_message())).decode()
        wanted = ServerConfiguration(
            farm=UUID(FARM),
            generation=1,
            farm_public_key=base64.b64encode(PUBLIC_KEY).decode(),
            server="s1",
            exports=(Export(name="debian/1", root=root, signature=signature),),
            replicas=(),
            replication_ticket="",
        )
        assert self.host.apply(wanted)

    def test(self) -> None:
        self.told.clear()
        self.watch.work()
        wait_until(lambda: self.watch.test.problem is not None, SECONDS, "it does not end")
        self.watch.work()

    def stop(self) -> None:
        self.watch.stop()
        self.host.stop()


@pytest.fixture
def filled(tmp_path: Path) -> StoreWithDisk:
    disk = write_disk(tmp_path / "disk.raw")
    store = native.Store.create(tmp_path / "store", FARM)
    imported = store.import_raw(disk, native.Progress())
    return StoreWithDisk(store, tmp_path / "store", disk, imported)


@pytest.fixture
def trial(filled: StoreWithDisk, tmp_path: Path) -> Iterator[Trial]:
    trial = Trial(tmp_path, filled.store)
    yield trial
    trial.stop()


def is_served(trial: Trial, disk: Path) -> bool:
    return compare(disk, trial.address, "debian/1").returncode == 0


def test_nobody_is_served_before_the_self_test_is_passed(
    trial: Trial, filled: StoreWithDisk
) -> None:
    trial.begin(filled.root)
    report = trial.host.report(releases=trial.watch.report())
    assert report.exports == ()
    assert report.releases is not None
    assert (report.releases.ready, report.releases.supervised) == (False, True)
    assert not is_served(trial, filled.disk)
    assert trial.folder.word() is None
    trial.test()
    assert trial.folder.word() == Word("1.1.7.1", "")
    assert is_served(trial, filled.disk)
    assert trial.host.report().exports == ("debian/1",)
    assert trial.watch.report().ready


def test_one_that_cannot_read_what_it_would_serve_serves_nobody(
    filled: StoreWithDisk, tmp_path: Path
) -> None:
    for pack in filled.packs():
        pack.chmod(0o600)
        pack.write_bytes(bytes(byte ^ 0xFF for byte in pack.read_bytes()))
    trial = Trial(tmp_path, reopened(filled))
    try:
        trial.begin(filled.root)
        trial.test()
        word = trial.folder.word()
        assert word is not None
        assert word.problem.startswith("reading debian/1 went wrong")
        assert trial.host.report().exports == ()
        said = trial.watch.report().problem
        assert isinstance(said, ReleaseProblem)
        assert (said.code, said.order) == ("self-test-failed", 0)
        assert not trial.watch.report().ready
    finally:
        trial.stop()
