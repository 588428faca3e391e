"""Devices write over versions: an update by maintenance, and write caches on a server."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.farm.estate import SECONDS, Estate
from tests.integration.farm.writing import MIB, Work, on_disk, work_byte

WRITTEN_AT: Final = 3 * MIB - 4096
"""Across the border of chunks, and of pages of the device's file system."""
WRITTEN: Final = 200 * 1024


@pytest.fixture(autouse=True)
def two_copies(estate: Estate) -> Iterator[None]:
    """Have both servers hold what is sealed, too: the estate's own policy is one copy of each."""
    estate.corral.ask("replication", "policy", "default", "2")
    yield
    estate.corral.ask("replication", "policy", "default", "1")


def seals(estate: Estate, image: str) -> list[str]:
    """Give what the tasks came to that sealed what was written over an image."""
    tasks = estate.corral.ask("task", "list", "--filter", "kind=seal")
    return [task["result"] for task in tasks if task["object"] == image]


def test_what_a_device_writes_becomes_the_next_version(estate: Estate, tmp_path: Path) -> None:
    corral = estate.corral
    work = Work(estate, "work", tmp_path)
    writer, reader = work.device("writer", 1), work.device("reader", 2)
    before = reader.login()
    corral.ask("image", "maintain", "work", "--device", "writer")

    answer = writer.login()
    assert (answer["export"], answer["writable"]) == ("work/2@writer", True)
    writer.qemu_io(answer, f"write -P 0xa5 {WRITTEN_AT} {WRITTEN}", "write -z 0 64k", "flush")
    work.content[WRITTEN_AT : WRITTEN_AT + WRITTEN] = b"\xa5" * WRITTEN
    work.content[: 64 * 1024] = bytes(64 * 1024)
    # Others go on with what there was, and the writer finds what it wrote.
    reader.qemu_io(before, f"read -P {work_byte(0)} 0 1")
    writer.qemu_io(writer.login(), f"read -P 0xa5 {WRITTEN_AT} {WRITTEN}", "read -P 0 0 64k")

    with writer.switched_on(answer):
        work.wait_for_clients(1)
        refused = corral.refusal("image", "promote", "work")
        assert refused.code == "writer-on"
        assert "'writer'" in refused.message
        assert work.overlay()["server"] in refused.message
    work.wait_for_clients(0)
    sealed = corral.ask(
        *("image", "promote", "work", "--to", "production", "--description", "new", "--wait")
    )
    assert (sealed["version"], sealed["description"]) == ("work/2", "new")
    assert seals(estate, "work") == ["published work/2"]
    estate.wait_for(
        lambda: corral.ask("image", "show", "work")["versions"][1]["standing"] == "production",
        "the version was not released",
    )
    for server in ("s1", "s2"):
        work.expect("work/2", server)
    after = reader.login()
    assert (after["export"], after["root"]) == ("work/2", sealed["root"])
    reader.qemu_io(after, f"read -P 0xa5 {WRITTEN_AT} {WRITTEN}", "read -P 0 0 64k")
    assert writer.login()["export"] == "work/2"


def test_an_image_is_updated_through_the_devices_own_client(estate: Estate, tmp_path: Path) -> None:
    corral = estate.corral
    work = Work(estate, "update", tmp_path)
    writer, reader = work.device("updater", 7), work.device("updated", 8)
    corral.ask("image", "maintain", "update", "--device", "updater")
    client = estate.start_client("updater", writer.configuration(tmp_path))
    on_disk(client.disk, f"write -P 0xa5 {WRITTEN_AT} {WRITTEN}", "flush")
    work.content[WRITTEN_AT : WRITTEN_AT + WRITTEN] = b"\xa5" * WRITTEN
    work.wait_for_clients(1)
    assert corral.refusal("image", "promote", "update").code == "writer-on"
    client.end()
    work.wait_for_clients(0)
    sealed = corral.ask("image", "promote", "update", "--to", "production", "--wait")
    estate.wait_for(
        lambda: reader.login()["root"] == sealed["root"], "the version was not released"
    )
    second = estate.start_client("updated", reader.configuration(tmp_path))
    assert second.read_once(sealed["root"]).verdicts == ("ok",)
    on_disk(second.disk, f"read -P 0xa5 {WRITTEN_AT} {WRITTEN}", is_written=False)
    work.expect("update/2", "s1")


def test_a_promote_needs_no_server_that_runs(estate: Estate, tmp_path: Path) -> None:
    corral = estate.corral
    work = Work(estate, "quiet", tmp_path)
    writer = work.device("quiet-writer", 9)
    corral.ask("image", "maintain", "quiet", "--device", "quiet-writer")
    writer.qemu_io(writer.login(), f"write -P 0xa5 {WRITTEN_AT} {WRITTEN}", "flush")
    work.content[WRITTEN_AT : WRITTEN_AT + WRITTEN] = b"\xa5" * WRITTEN
    work.wait_for_clients(0)
    keeper, overlay = work.overlay()["server"], work.overlay()["id"]
    left = estate.servers[keeper].store / "overlays" / overlay
    assert left.exists()
    estate.kill(keeper)
    estate.wait_for(lambda: estate.states()[keeper] == "unknown", f"{keeper} is not missed")
    sealed = corral.ask("image", "promote", "quiet", "--to", "production")
    assert sealed["version"] == "quiet/2"
    assert seals(estate, "quiet") == ["published quiet/2"]
    work.expect("quiet/2", keeper)
    # The server takes up the version, and lets go of what was written.
    estate.start_stream(keeper)
    estate.wait_for(lambda: not left.exists(), "what was written stays")
    estate.wait_for(lambda: writer.login()["export"] == "quiet/2", "it was not released")


@pytest.mark.parametrize("kind", ["server", "server-persistent"])
def test_a_write_cache_on_a_server_lasts_as_long_as_its_kind_says(
    estate: Estate, tmp_path: Path, kind: str
) -> None:
    work = Work(estate, kind, tmp_path)
    estate.corral.ask("image", "set", kind, "--write-cache", kind, "--cache-limit", "4MiB")
    device = work.device(kind, 3 if kind == "server" else 4)
    answer = device.login()
    assert (answer["export"], answer["write_cache"]) == (f"{kind}/1@{kind}", kind)
    device.qemu_io(answer, "write -P 0x5a 0 64k", "flush")
    # The server dies: what was flushed is still there for a device that goes on.
    server = answer["servers"][0]["name"]
    estate.kill(server)
    estate.start_stream(server)
    running = device.ask({"running": answer["root"]}).raise_for_status().json()
    assert running["export"] == answer["export"]
    estate.wait_for(
        lambda: (
            subprocess.run(
                ["qemu-io", "-c", "read -P 0x5a 0 64k", device.node(running)],
                check=False,
                capture_output=True,
                timeout=SECONDS,
            ).returncode
            == 0
        ),
        "what was flushed is not there",
    )
    # It starts again.
    again = device.login()
    kept = 0x5A if kind == "server-persistent" else work_byte(0)
    device.qemu_io(again, f"read -P {kept} 0 1")
    if kind == "server":
        return
    work.wait_for_clients(0)
    (given_up,) = estate.corral.ask("device", "reset-cache", kind)
    assert given_up["export"] == answer["export"]
    device.qemu_io(device.login(), f"read -P {work_byte(0)} 0 1")


def test_a_full_cache_stops_one_device_and_the_farm_says_so(estate: Estate, tmp_path: Path) -> None:
    work = Work(estate, "narrow", tmp_path)
    estate.corral.ask("image", "set", "narrow", "--write-cache", "server", "--cache-limit", "1MiB")
    device, other = work.device("narrow1", 5), work.device("narrow2", 6)
    answer, others = device.login(), other.login()
    done = subprocess.run(
        ["qemu-io", "-c", "write -P 1 0 4M", device.node(answer)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "No space left on device" in done.stdout + done.stderr
    other.qemu_io(others, "write -P 2 0 64k", "read -P 2 0 64k", "flush")
    estate.wait_for(
        lambda: any(
            "full" in one["warning"]
            for one in estate.status()["warnings"]
            if one["device"] == "narrow1"
        ),
        "the farm does not say that it is full",
    )
    assert estate.corral.ask("device", "show", "narrow2")["warning"] == ""
