from dataclasses import replace
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.export_version import ExportRequest
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.application.progress import Progress
from corral.farm.domain.image.errors import (
    ExportExistsError,
    StoreDamagedError,
    VersionDamagedError,
    VersionNotHeldError,
    VersionUnknownError,
)
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import VersionName

TARGET = Path("/exports/debian.raw")


def request(text: str, *, overwrite: bool = False) -> ExportRequest:
    return ExportRequest(VersionName.parse(text), TARGET, DiskFormat.RAW, overwrite=overwrite)


@pytest.mark.parametrize("content", [disk(1, 0, 2), disk(1) + b"short", disk(0) + bytes(10)])
def test_export_gives_back_what_was_imported(farm: FarmInMemory, content: bytes) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", content)
    farm.application.export_version(request("debian/1"), Progress())
    assert farm.ports.files[TARGET] == content


def test_an_existing_file_is_replaced_only_when_told(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.ports.files[TARGET] = b"precious"
    with pytest.raises(ExportExistsError):
        farm.application.export_version(request("debian/1"), Progress())
    farm.application.export_version(request("debian/1", overwrite=True), Progress())
    assert farm.ports.files[TARGET] == disk(1)


def test_damaged_version_is_never_written_out(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    chunks = farm.store_of("s1").chunks
    chunks[next(iter(chunks))] = b"rot"
    with pytest.raises(StoreDamagedError):
        farm.application.export_version(request("debian/1"), Progress())
    assert TARGET not in farm.ports.files


def test_damage_that_is_known_is_said_with_the_command_that_heals(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    with farm.ports.transactions.writing() as records:
        (replica,) = records.replicas.of_root(version.root)
        records.replicas.put(replace(replica, state=ReplicaState.DAMAGED))
    with pytest.raises(VersionDamagedError, match=f"corral store heal {server.name}"):
        farm.application.export_version(request("debian/1"), Progress())


def test_version_that_nobody_holds_cannot_be_exported(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    with farm.ports.transactions.writing() as records:
        records.replicas.remove(server.id, version.root)
    with pytest.raises(VersionNotHeldError, match="no server holds 'debian/1'"):
        farm.application.export_version(request("debian/1"), Progress())


def test_unknown_version_cannot_be_exported(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    with pytest.raises(VersionUnknownError):
        farm.application.export_version(request("debian/2"), Progress())
