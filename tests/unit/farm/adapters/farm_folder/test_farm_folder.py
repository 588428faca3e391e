import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.contract.things import FARM, server

from corral.farm.adapters.farm_folder.farm_key import FileFarmKey
from corral.farm.adapters.farm_folder.image_locks import FileImageLocks
from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.adapters.farm_folder.secret_files import FolderSecretFiles
from corral.farm.domain.access.token import Token
from corral.farm.domain.delivery.device import device_name
from corral.farm.domain.estate.errors import FarmKeyUnusableError
from corral.farm.domain.image.errors import DiskUnreadableError
from corral.farm.domain.image.image import image_name
from corral.wire.server import ServerFile

HOLDER = """
import sys
from pathlib import Path
from corral.farm.adapters.farm_folder.image_locks import FileImageLocks
from corral.farm.domain.image.image import image_name

with FileImageLocks(Path(sys.argv[1])).hold(image_name("debian")):
    print("held", flush=True)
    sys.stdin.read()
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    locks, debian = FileImageLocks(tmp_path), image_name("debian")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert locks.is_held(debian)
        holder.kill()
        holder.wait()
        assert not locks.is_held(debian)
        with locks.hold(debian):
            pass


def test_lock_is_not_kept_alive_by_a_child_of_its_holder(tmp_path: Path) -> None:
    locks, debian = FileImageLocks(tmp_path), image_name("debian")
    with locks.hold(debian):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with child:
        assert not locks.is_held(debian)
        child.kill()


def test_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "farm.key"
    key = FileFarmKey(path)
    public_key = key.create()
    assert mode_of(path) == 0o600
    assert FileFarmKey(path).public_key() == public_key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "farm.key"
    FileFarmKey(path).create()
    path.chmod(mode)
    with pytest.raises(FarmKeyUnusableError, match="others than its owner"):
        FileFarmKey(path).sign(b"message")


def test_what_is_no_key_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "farm.key"
    write_private_file(path, b"no key at all")
    with pytest.raises(FarmKeyUnusableError, match="not a private key"):
        FileFarmKey(path).public_key()
    rsa = generate_private_key(65_537, 2048)
    pem = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private_file(path, pem)
    with pytest.raises(FarmKeyUnusableError, match="not an Ed25519 key"):
        FileFarmKey(path).public_key()


def test_server_file_is_what_a_stream_process_reads(tmp_path: Path) -> None:
    token = Token(bytes(range(32)))
    path = FolderSecretFiles(tmp_path).for_server(FARM, server("s1", 1), token, "PEM")
    assert mode_of(path) == 0o600
    read = ServerFile.model_validate_json(path.read_text())
    assert read.token == token.reveal()
    assert read.certificate_authority == "PEM"
    assert (read.farm, read.server, read.store) == (FARM.id, "s1", "/stores/s1")
    assert read.listen == ("127.0.0.1:10001", "[::1]:10001")
    assert json.loads(path.read_text())["api_urls"] == list(FARM.api_urls)


def test_key_of_a_device_replaces_what_was_there(tmp_path: Path) -> None:
    files = FolderSecretFiles(tmp_path)
    files.for_device(device_name("pc1"), Token(bytes(32)), None)
    path = files.for_device(device_name("pc1"), Token(bytes(range(32))), None)
    assert path.read_text() == Token(bytes(range(32))).reveal() + "\n"
    assert mode_of(path) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["pc1.key"]


def test_file_that_cannot_be_written_is_said_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "devices").write_text("a file where a folder should be")
    with pytest.raises(DiskUnreadableError):
        FolderSecretFiles(tmp_path).for_device(device_name("pc1"), Token(bytes(32)), None)
