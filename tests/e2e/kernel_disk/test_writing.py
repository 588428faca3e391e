"""A kernel's file system on a disk that a server keeps: the server dies, then the power goes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from demo import kernel
from demo.processes import Runner

from tests.e2e.kernel_disk.machine import Guest, initramfs, what_is_missing
from tests.integration.farm.client import TARGET
from tests.integration.farm.estate import Estate

CLIENT: Final = Path(TARGET)
HOST: Final = "10.0.2.2"
"""The loopback of this machine, as the guest sees it."""
MIB: Final = 1 << 20


class Nobody:
    """Whom nothing has to be shown."""

    def doing(self, what: str) -> None:
        """Take no notice."""


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    missing = what_is_missing(CLIENT)
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")
    estate = Estate.at(tmp_path)
    try:
        estate.build()
        yield estate
    finally:
        estate.end()


def answer(estate: Estate, device: str) -> str:
    """Log a device in, and give the answer with addresses that the guest can reach."""
    given: list[str] = []

    def is_let_in() -> bool:
        done = estate.corral.run("device", "login", device)
        given.append(done.stdout)
        return done.returncode == 0

    estate.wait_for(is_let_in, f"{device} was not let in")
    return given[-1].replace("127.0.0.1:", f"{HOST}:")


def device(estate: Estate, name: str, number: int, image: str, cache: str) -> None:
    mac = f"52:54:00:99:00:{number:02x}"
    estate.corral.ask("device", "add", name, "--mac", mac, "--image", image)
    estate.corral.ask("device", "set-cache", name, cache)


def test_what_a_guest_made_safe_outlives_its_server_and_its_power(
    estate: Estate, tmp_path: Path
) -> None:
    disk = tmp_path / "empty.raw"
    with disk.open("wb") as file:
        file.write(bytes(range(1, 256)) * 64)
        file.truncate(64 * MIB)
    words = ("image", "import", "empty", str(disk), "--server", "s1", "--format", "raw")
    estate.corral.ask(*words)
    device(estate, "writer", 1, "empty", "server-persistent")
    device(estate, "reader", 2, "empty", "device-ram")
    cache = Path(os.environ.get("CORRAL_CACHE", "~/.cache/corral")).expanduser()
    debian = kernel.fetch(cache, "bookworm", Runner(tmp_path, Nobody()))

    def boot(name: str) -> Guest:
        kept = answer(estate, "writer")
        answers = {"kept.json": kept, "ram.json": answer(estate, "reader")}
        initrd = tmp_path / f"{name}.initrd"
        initrd.write_bytes(initramfs(debian, CLIENT, answers))
        assert json.loads(kept)["writable"]
        return Guest.start(estate.programs, debian, initrd, name)

    guest = boot("write")
    guest.wait_for("kept 4 ")
    estate.kill("s1")
    estate.start_stream("s1")
    guest.wait_for("verified")
    kept = guest.sums("kept")
    assert len(kept) >= 12
    assert {name: kept[name] for name in guest.sums("found")} == guest.sums("found")
    # The power goes while it writes.
    guest.wait_for("kept 14 ")
    guest.program.kill()
    kept = guest.sums("kept")

    again = boot("check")
    again.wait_for("checked")
    found = again.sums("found")
    assert {name: found.get(name) for name in kept} == kept
    again.wait_for("over")
    second = {name: total for name, total in again.sums("kept").items() if int(name) > 100}
    found = again.sums("found")
    assert len(second) == 3
    assert {name: found.get(name) for name in second} == second
    said = [line.split() for line in again.said()]
    (killed,) = [words[1] for words in said if words[0] == "killed"]
    (follower,) = [words[1] for words in said if words[0] == "worker"]
    assert int(follower) > int(killed)
