"""The API by TLS: who is believed, who is not, and what can be heard on the way."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from demo.processes import free_port

from corral.farm.adapters.certificates import DerivedAuthority, new_key
from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.adapters.tls import HANDSHAKES_OF_ONE_ADDRESS, client_context, distrust
from tests.integration.farm.command import CommandLine
from tests.integration.tls.conftest import SecuredFarm
from tests.integration.tls.ear import Ear


@contextmanager
def listening(context: ssl.SSLContext | None) -> Iterator[tuple[str, bytearray]]:
    """Stand where an API should be; gives the URL, and what anybody sent there."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                    heard.extend(connection.recv(65536))

        threading.Thread(target=answer, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", heard


def test_a_device_logs_in_and_nobody_hears_its_secrets(secured: SecuredFarm) -> None:
    ear = Ear(secured.api_port)
    done = secured.log_in([f"https://127.0.0.1:{ear.port}"], secured.root_file)
    assert done.returncode == 0, done.stderr
    ticket = json.loads(done.stdout)["ticket"]
    assert len(ear.heard) > 500
    for secret in (secured.key, ticket, "Bearer", "golden"):
        assert secret.encode() not in ear.heard
    # That the ear hears: whoever speaks in the clear is heard, if not answered.
    with pytest.raises(httpx.HTTPError):
        httpx.get(
            f"http://127.0.0.1:{ear.port}",
            headers={"Authorization": f"Bearer {secured.key}"},
            trust_env=False,
        )
    assert secured.key.encode() in ear.heard
    ear.close()


def test_another_farms_root_is_not_enough(secured: SecuredFarm, tmp_path: Path) -> None:
    other = CommandLine(tmp_path / "farm", tmp_path / "log")
    other.ask("farm", "create", "other")
    other.ask("farm", "certificates")
    done = secured.log_in([secured.api_url], tmp_path / "farm" / "ca.pem")
    assert done.returncode == 1
    assert "its certificate is not of this farm" in done.stderr
    assert "ca.pem" in done.stderr


def test_without_a_root_nothing_is_sent(secured: SecuredFarm) -> None:
    with listening(None) as (url, heard):
        done = secured.log_in([url], None)
        assert done.returncode == 1
        assert "ca_file" in done.stderr
        assert not heard


def test_an_expired_certificate_is_refused_and_the_way_out_named(secured: SecuredFarm) -> None:
    with listening(secured.context(age=timedelta(days=91))) as (url, heard):
        done = secured.log_in([url], secured.root_file)
    assert done.returncode == 1
    assert "has expired: restart that process" in done.stderr
    assert not heard
    with listening(secured.context()) as (url, heard):
        # The same with a fresh one is believed, and gets the key: it is of the farm.
        secured.log_in([url], secured.root_file)
        assert b"Bearer" in heard


def test_a_certificate_for_another_address_is_refused(secured: SecuredFarm) -> None:
    with listening(secured.context(host="192.0.2.1")) as (url, heard):
        done = secured.log_in([url], secured.root_file)
    assert done.returncode == 1
    assert "for other addresses" in done.stderr
    assert not heard


def test_who_answers_in_the_clear_gets_nothing(secured: SecuredFarm) -> None:
    with listening(None) as (url, heard):
        done = secured.log_in([url], secured.root_file)
    assert done.returncode == 1
    # A greeting of TLS, and after the plain answer nothing more.
    assert heard.startswith(b"\x16\x03")
    assert secured.key.encode() not in heard


@pytest.mark.parametrize(
    ("age", "host", "said"),
    [
        (timedelta(days=91), "127.0.0.1", "has expired"),
        (timedelta(days=-10), "127.0.0.1", "not valid yet"),
        (timedelta(0), "192.0.2.1", "for other addresses"),
    ],
)
def test_servers_are_told_why_too(
    secured: SecuredFarm, age: timedelta, host: str, said: str
) -> None:
    trust = client_context(secured.root_file.read_text())
    with (
        listening(secured.context(age, host)) as (url, heard),
        pytest.raises(httpx.ConnectError) as caught,
    ):
        httpx.get(url, verify=trust, trust_env=False)
    assert said in str(distrust(caught.value))
    assert not heard


def test_servers_do_not_believe_another_farm(secured: SecuredFarm) -> None:
    key = MemoryFarmKey()
    key.create()
    foreign = client_context(DerivedAuthority(key).root(secured.farm()))
    with pytest.raises(httpx.ConnectError) as caught:
        httpx.get(f"{secured.api_url}/v1/health", verify=foreign, trust_env=False)
    assert "not of this farm" in str(distrust(caught.value))
    assert distrust(httpx.ConnectError("no route")) is None


def test_certificates_are_shown_and_checked(secured: SecuredFarm) -> None:
    shown = secured.corral.ask("farm", "certificates")
    assert shown["root"] == secured.root_file.read_text()
    assert "127.0.0.1" in shown["api"]["hosts"]
    assert shown["servers"][0]["hosts"] == ["127.0.0.1"]
    checked = json.loads(secured.corral.run("farm", "check").stdout)
    assert not [one for one in checked["findings"] if one["code"].startswith("certificate")]
    assert "certificates" not in [one["check"] for one in checked["not_applicable"]]
    kept = secured.server_file.with_name("s1.certificate.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    pinned = json.loads(secured.server_file.read_text())["certificate_authority"]
    assert pinned == shown["root"]


def test_an_administrators_own_certificate(secured: SecuredFarm) -> None:
    folder, port = secured.home / "own", free_port()
    folder.mkdir()
    private, public = new_key()
    authority_key = MemoryFarmKey()
    authority_key.create()
    authority = DerivedAuthority(authority_key)
    farm = secured.farm()
    made = authority.issue(farm, "own", ("127.0.0.1",), public, farm.created_at)
    (folder / "certificate.pem").write_text(made.text)
    (folder / "key.pem").write_text(private)
    given = ("--certificate", str(folder / "certificate.pem"))
    said = secured.corral.refusal("serve", "api", "--listen", f"127.0.0.1:{port}", *given)
    assert (said.code, "other half" in said.message) == ("certificate-unusable", True)
    wrong = ("--key", str(secured.corral.farm / "farm.key"))
    said = secured.corral.refusal("serve", "api", "--listen", f"127.0.0.1:{port}", *given, *wrong)
    assert said.code == "certificate-unusable"
    key = ("--key", str(folder / "key.pem"))
    secured.start("own", "serve", "api", "--listen", f"127.0.0.1:{port}", *given, *key)
    trust = client_context(authority.root(farm))

    def answers() -> bool:
        with suppress(httpx.ConnectError):
            answer = httpx.get(f"https://127.0.0.1:{port}/v1/health", verify=trust, trust_env=False)
            return answer.status_code == 200
        return False

    secured.wait_for(answers, "the API with a certificate of its own did not answer")


def test_silent_connections_of_one_address_are_few(secured: SecuredFarm) -> None:
    place = ("127.0.0.1", secured.api_port)
    silent = [socket.create_connection(place) for _ in range(HANDSHAKES_OF_ONE_ADDRESS)]
    try:
        with socket.create_connection(place) as one_more:
            one_more.settimeout(30)
            with suppress(ConnectionResetError):
                assert one_more.recv(1) == b""
    finally:
        for one in silent:
            one.close()
    trust = client_context(secured.root_file.read_text())

    def answers() -> bool:
        with suppress(httpx.ConnectError):
            return httpx.get(
                f"{secured.api_url}/v1/health", verify=trust, trust_env=False
            ).is_success
        return False

    secured.wait_for(answers, "the API did not recover")


@pytest.mark.parametrize(("version", "is_spoken"), [("-tls1_3", True), ("-tls1_2", False)])
def test_other_libraries_find_today_s_protocol_and_no_older_one(
    secured: SecuredFarm, version: str, *, is_spoken: bool
) -> None:
    root = ("-CAfile", str(secured.root_file), "-verify_return_error")
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{secured.api_port}", version, *root],
        input="",
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode == 0) is is_spoken, done.stderr
