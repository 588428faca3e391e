"""Streams under TLS: Corral's client, other people's, and who is not let in."""

import json
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from corral.farm.adapters.certificates import DerivedAuthority
from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from tests.integration.farm.client import TARGET, Client
from tests.integration.tls.conftest import SECONDS, SecuredFarm
from tests.integration.tls.ear import Ear

GREETING = 18
TLS_REQUIRED = 0x80000005
UNSUPPORTED = 0x80000001


@pytest.fixture
def answer(secured: SecuredFarm) -> dict[str, Any]:
    done = secured.log_in([secured.api_url], secured.root_file)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def ear(secured: SecuredFarm) -> Iterator[Ear]:
    ear = Ear(secured.stream_port)
    yield ear
    ear.close()


def through(answer: Mapping[str, Any], port: int, **changes: object) -> dict[str, Any]:
    """Give the same answer, with the server at another port of the same machine."""
    (server,) = answer["servers"]
    moved = {**server, "addresses": [f"127.0.0.1:{port}"], **changes}
    return {**answer, "servers": [moved]}


def start(secured: SecuredFarm, name: str, answer: Mapping[str, Any]) -> Client:
    return Client.start(secured.programs, secured.home, name, answer)


def tried(secured: SecuredFarm, answer: Mapping[str, Any], until: str) -> str:
    """Start a client that cannot get its disk; give what it says."""
    config = secured.home / "tried.json"
    config.write_text(json.dumps(answer))
    program = secured.programs.start(
        "tried", [TARGET, "serve", "--config", str(config), "--unix", str(secured.home / "tried")]
    )
    log = secured.programs.logs / "tried.log"
    try:
        secured.wait_for(lambda: until in log.read_text(), f"the client did not say {until!r}")
        return log.read_text()
    finally:
        program.kill()
        log.unlink()


@contextmanager
def false_server(secured: SecuredFarm, age: timedelta) -> Iterator[int]:
    """Stand where a server was, with the certificate that it had so long ago; gives the port."""
    context = secured.context(age)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.settimeout(SECONDS)
                    connection.sendall(b"NBDMAGICIHAVEOPT\0\3")
                    connection.recv(20, socket.MSG_WAITALL)
                    connection.sendall(struct.pack(">QIII", 0x0003E889045565A9, 5, 1, 0))
                    context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_device_reads_its_disk_and_nobody_hears_it(
    secured: SecuredFarm, answer: dict[str, Any], ear: Ear
) -> None:
    (server,) = answer["servers"]
    assert server["tls"]
    client = start(secured, "reader", through(answer, ear.port))
    try:
        assert client.read_once(answer["root"]).verdicts == ("ok",)
    finally:
        client.end()
    disk = (secured.home / "disk.raw").read_bytes()
    assert len(ear.heard) > 1_000_000
    assert answer["ticket"].encode() not in ear.heard
    assert answer["export"].encode() not in ear.heard
    blocks = (disk[at : at + 64] for at in range(0, len(disk), 65_536))
    telling = [block for block in blocks if len(set(block)) > 32]
    assert telling
    assert not any(block in ear.heard for block in telling)


def test_in_the_clear_nobody_is_let_in(secured: SecuredFarm, answer: dict[str, Any]) -> None:
    export = f"{answer['export']};{answer['ticket']}".encode()
    with socket.create_connection(("127.0.0.1", secured.stream_port), timeout=SECONDS) as stream:
        assert stream.recv(GREETING, socket.MSG_WAITALL)[:8] == b"NBDMAGIC"
        data = struct.pack(">I", len(export)) + export + b"\0\0"
        stream.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 7, len(data)) + data)
        reply = stream.recv(20, socket.MSG_WAITALL)
        assert struct.unpack(">QIII", reply)[2] == TLS_REQUIRED
    uri = f"nbd://127.0.0.1:{secured.stream_port}/{export.decode()}"
    done = subprocess.run(["nbdinfo", uri], check=False, capture_output=True, text=True)
    assert done.returncode != 0


def test_a_client_is_not_talked_out_of_tls(secured: SecuredFarm, answer: dict[str, Any]) -> None:
    """Somebody between says that there is no TLS: the client goes, and never says its ticket."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        config = secured.home / "downgraded.json"
        config.write_text(json.dumps(through(answer, port)))
        program = secured.programs.start(
            "downgraded",
            [TARGET, "serve", "--config", str(config), "--unix", str(secured.home / "downgraded")],
        )
        listener.settimeout(SECONDS)
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(SECONDS)
                connection.sendall(b"NBDMAGICIHAVEOPT\0\3")
                heard += connection.recv(20, socket.MSG_WAITALL)
                assert heard[4:] == b"IHAVEOPT" + struct.pack(">II", 5, 0)
                refusal = struct.pack(">QIII", 0x0003E889045565A9, 5, UNSUPPORTED, 0)
                connection.sendall(refusal)
                while more := connection.recv(65536):
                    heard += more
        finally:
            program.kill()
    assert answer["ticket"].encode() not in heard
    # All that it said after it was refused is that it gives up.
    assert heard[20:] == b"IHAVEOPT" + struct.pack(">II", 2, 0)


def test_another_farms_certificate_and_an_old_one_are_refused(
    secured: SecuredFarm, answer: dict[str, Any]
) -> None:
    key = MemoryFarmKey()
    key.create()
    other = DerivedAuthority(key).root(secured.farm())
    said = tried(secured, {**answer, "certificate_authority": other}, "refused")
    assert "its certificate is not of this farm" in said
    with false_server(secured, timedelta(days=91)) as port:
        said = tried(secured, through(answer, port), "refused")
    assert "has expired: restart that process" in said


def test_an_answer_without_a_root_is_refused(secured: SecuredFarm, answer: dict[str, Any]) -> None:
    said = tried(secured, {**answer, "certificate_authority": None}, "error")
    assert "root certificate cannot be used" in said


def test_other_peoples_clients_stream_under_tls(
    secured: SecuredFarm, answer: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "ca-cert.pem").write_text(secured.root_file.read_text())
    export = f"{answer['export']};{answer['ticket']}"
    uri = f"nbds://127.0.0.1:{secured.stream_port}/{export}?tls-certificates={tmp_path}"
    done = subprocess.run(
        ["nbdinfo", "--json", uri], check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["TLS"] is True
    copy = tmp_path / "copy.raw"
    subprocess.run(["nbdcopy", uri, str(copy)], check=True, timeout=SECONDS)
    assert copy.read_bytes() == (secured.home / "disk.raw").read_bytes()
    credentials = f"tls-creds-x509,id=tls,endpoint=client,dir={tmp_path}"
    options = ",".join(
        f"{key}={value}"
        for key, value in {
            "driver": "nbd",
            "server.type": "inet",
            "server.host": "127.0.0.1",
            "server.port": secured.stream_port,
            "export": export,
            "tls-creds": "tls",
        }.items()
    )
    done = subprocess.run(
        [
            *("qemu-img", "compare", "--object", credentials, "--image-opts"),
            *(options, f"driver=raw,file.driver=file,file.filename={secured.home / 'disk.raw'}"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "Images are identical" in done.stdout, done.stderr


def test_what_a_device_writes_is_not_heard_either(secured: SecuredFarm, ear: Ear) -> None:
    ask = secured.corral.ask
    ask("device", "add", "writer", "--mac", "52:54:00:00:00:02", "--image", "golden")
    ask("image", "maintain", "golden", "--device", "writer")
    given: list[dict[str, Any]] = []

    def is_let_in() -> bool:
        done = secured.corral.run("device", "login", "writer")
        if done.returncode == 0:
            given.append(json.loads(done.stdout))
        return bool(given)

    secured.wait_for(is_let_in, "the writer was not let in")
    assert given[0]["writable"]
    client = start(secured, "writer", through(given[0], ear.port))
    written = secured.home / "written"
    # Of no chunk that anybody has, and more than TLS or the client takes at once.
    written.write_bytes(b"a sentence that nobody may hear. " * 31_776)
    length = written.stat().st_size // 512 * 512
    try:
        done = subprocess.run(
            [
                *("qemu-io", "-f", "raw"),
                *("-c", f"write -s {written} 1M {length}", "-c", "flush"),
                *("-c", f"write -P 0x5a 64k {900 * 1024}", "-c", f"read -P 0x5a 64k {900 * 1024}"),
                f"nbd+unix:///?socket={client.disk}",
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "failed" not in done.stdout + done.stderr
    finally:
        client.end()
    assert len(ear.heard) > length
    assert b"a sentence that nobody may hear" not in ear.heard
