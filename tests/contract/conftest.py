"""Each port's adapters, by parameter: what passes for one must pass for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from corral.farm.adapters.farm_folder.certificate_files import FolderCertificateFiles
from corral.farm.adapters.farm_folder.farm_key import FileFarmKey
from corral.farm.adapters.farm_folder.image_locks import FileImageLocks
from corral.farm.adapters.farm_folder.secret_files import FolderSecretFiles
from corral.farm.adapters.memory.certificate_files import MemoryCertificateFiles
from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.adapters.memory.image_locks import MemoryImageLocks
from corral.farm.adapters.memory.records import MemoryTransactions
from corral.farm.adapters.memory.secret_files import MemorySecretFiles
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.ports.certificates import CertificateFiles
from corral.farm.application.ports.farm_key import FarmKey
from corral.farm.application.ports.image_locks import ImageLocks
from corral.farm.application.ports.records import Transactions
from corral.farm.application.ports.secret_files import SecretFiles
from tests.conftest import ON_POSTGRESQL
from tests.databases import sqlite_with_tables


@pytest.fixture(params=["memory", "sqlite", ON_POSTGRESQL])
def transactions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transactions]:
    if request.param == "memory":
        yield MemoryTransactions()
        return
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_database_with_tables()
    else:
        url = sqlite_with_tables(tmp_path / "farm.db")
    sql = SqlTransactions(url)
    yield sql
    sql.close()


@pytest.fixture(params=["memory", "file"])
def image_locks(request: pytest.FixtureRequest, tmp_path: Path) -> ImageLocks:
    return MemoryImageLocks() if request.param == "memory" else FileImageLocks(tmp_path / "locks")


@pytest.fixture(params=["memory", "file"])
def farm_key(request: pytest.FixtureRequest, tmp_path: Path) -> FarmKey:
    return MemoryFarmKey() if request.param == "memory" else FileFarmKey(tmp_path / "farm.key")


@pytest.fixture(params=["memory", "folder"])
def secret_files(request: pytest.FixtureRequest, tmp_path: Path) -> SecretFiles:
    return MemorySecretFiles() if request.param == "memory" else FolderSecretFiles(tmp_path)


@pytest.fixture(params=["memory", "folder"])
def certificate_files(request: pytest.FixtureRequest, tmp_path: Path) -> CertificateFiles:
    if request.param == "memory":
        return MemoryCertificateFiles()
    return FolderCertificateFiles(tmp_path)
