"""From an import to a verified stream, and what it leaves lying about on the way."""

import base64
import json
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.integration.farm.disks import CHUNK
from tests.integration.farm.estate import Estate, nbd_node


def test_a_replica_costs_the_network_what_the_image_takes_in_the_store(estate: Estate) -> None:
    (replica,) = (one for one in estate.replicated["replicas"] if one["server"] == "s2")
    assert replica["state"] == "complete"
    stored = estate.version["stored_bytes"]
    # Framing comes on top of the chunks.
    assert stored <= replica["fetched_bytes"] <= estate.sent_bytes <= stored * 1.05
    # Zeros and what zstd saves are not sent.
    assert estate.sent_bytes < 0.75 * estate.version["size_bytes"]


def test_a_device_that_logs_in_by_itself_reads_the_whole_version(estate: Estate) -> None:
    assert estate.start_client("pc1").read_once(estate.root).verdicts == ("ok",)


def test_a_wrong_key_and_an_unknown_device_are_refused_alike(estate: Estate) -> None:
    wrong = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    answers = [estate.log_in(key=wrong), estate.log_in(device="nobody", key=wrong)]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(401, "token-wrong")] * 2
    assert answers[0].content == answers[1].content
    # Whoever has the key of a device learns only that it is not that of the one it named.
    other = estate.log_in(device="nobody")
    assert (other.status_code, other.json()["code"]) == (401, "device-identity")


def test_the_least_loaded_server_comes_first(estate: Estate) -> None:
    for busy, idle in (("s1", "s2"), ("s2", "s1")):
        with sessions_at(estate, busy, 3):
            wanted = {busy: 3, idle: 0}
            estate.wait_for(
                partial(reports_sessions, estate, wanted),
                f"the sessions at {busy} were not reported",
            )
            estate.wait_for(
                partial(offers, estate, [idle, busy]), f"{idle} was not offered before {busy}"
            )


def reports_sessions(estate: Estate, wanted: Mapping[str, int]) -> bool:
    return estate.session_counts() == wanted


def offers(estate: Estate, servers: list[str]) -> bool:
    return estate.offered_servers() == servers


@contextmanager
def sessions_at(estate: Estate, server: str, count: int) -> Iterator[None]:
    """Connections of a client that reads from one server only, and nothing."""
    node = nbd_node(estate.servers[server], estate.login())
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(
                # Stays connected until its standard input ends.
                subprocess.Popen(
                    ["qemu-io", "-r", node], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
                )
            )
            assert client.stdin is not None
            stack.callback(client.stdin.close)
        yield


def test_no_secret_shows_where_others_can_read(estate: Estate) -> None:
    client = estate.start_client("pc1-watched")
    reader = client.read_forever(estate.root)
    reader.go_on_for(1)
    answer = estate.login()
    cli_answer = estate.corral.ask("device", "login", "pc1")
    secrets = {answer["ticket"], cli_answer["ticket"], estate.key_file.read_text().strip()}
    secrets.add((estate.home / "farm" / "reader.key").read_text().strip())
    secrets.update((estate.home / "farm" / "farm.key").read_text().splitlines()[1:-1])
    for server in estate.servers.values():
        secrets.add(json.loads(server.file.read_bytes())["token"])
        secrets.add(json.loads(server.kept_configuration.read_bytes())["replication_ticket"])
    assert all(len(secret) >= 32 for secret in secrets)

    estate.kill("s2")  # a process that fails says more than one that does not
    reader.go_on_for(1)
    estate.log_in(key=answer["ticket"])
    shows = leak_finder(secrets)
    running = command_lines()
    assert any(b"serve\0stream" in line for line in running)
    assert not any(map(shows, running))
    logs = {path.name: path.read_bytes() for path in estate.programs.logs.iterdir()}
    assert {"api.log", "s1.log", "s2.log", "pc1-watched.log", "corral.log"} <= logs.keys()
    assert [name for name, text in logs.items() if shows(text)] == []
    open_files = [path for path in estate.home.rglob("*") if is_readable_by_others(path)]
    open_files = [path for path in open_files if not holds_chunks(path)]
    assert estate.programs.logs / "s1.log" in open_files
    assert [str(path) for path in open_files if shows(content(path))] == []


def leak_finder(secrets: set[str]) -> Callable[[bytes], bool]:
    """Secrets as text, and as the bytes that the text stands for."""
    needles = [secret.encode() for secret in secrets]
    for secret in secrets:
        padded = secret + "=" * (-len(secret) % 4)
        needles.append(base64.b64decode(padded.translate(str.maketrans("-_", "+/"))))
    return lambda text: any(needle in text for needle in needles)


def command_lines() -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found.append(path.read_bytes())
    return found


def is_readable_by_others(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:  # the farm works on, and has just removed it
        return False
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def holds_chunks(path: Path) -> bool:
    """Bytes of the image: large, and none of Corral's words."""
    return path.suffix in (".raw", ".pack") or path.parent.name == "flat"


def test_the_command_line_shows_who_streams_what(estate: Estate) -> None:
    reader = estate.start_client("pc1-shown").read_forever(estate.root)
    reader.go_on_for(1)
    seen: list[dict[str, object]] = []

    def is_shown() -> bool:
        seen[:] = [one for one in estate.status()["sessions"] if one["device"] == "pc1"]
        return any(int(str(one["sent_bytes"])) >= CHUNK for one in seen)

    estate.wait_for(is_shown, "the device's session was not shown")
    assert {one["version"] for one in seen} == {"golden/1"}
    # A client keeps a second server warm.
    estate.wait_for(
        lambda: is_shown() and {one["server"] for one in seen} == {"s1", "s2"},
        "the client did not connect to both servers",
    )
