"""What devices wrote on servers after the backup was taken stays theirs when it is restored."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.integration.backup.lost_estate import LostEstate
from tests.integration.farm.client import Client
from tests.integration.farm.estate import SECONDS
from tests.integration.farm.writing import MIB, Device, Work, on_disk

LENGTH: Final = 300 * 1024
BEFORE, MEANWHILE, AFTER = MIB - 4096, 3 * MIB - 4096, 5 * MIB - 4096
"""Where devices write: before the farm is lost, while it observes, and when it was accepted."""


@dataclass
class Writer:
    """A device that writes to a disk of its own on a server."""

    work: Work
    device: Device
    client: Client

    @classmethod
    def begin(cls, work: Work, device: Device) -> "Writer":
        return cls(work, device, _client(work, device))

    def begin_again(self) -> None:
        """Start the device anew, as after it was switched off."""
        self.client.end()
        self.client = _client(self.work, self.device)

    def write(self, offset: int) -> None:
        """Write and flush: from here on it must not be lost."""
        byte = 0xA0 + offset // MIB
        on_disk(self.client.disk, f"write -P {byte} {offset} {LENGTH}", "flush")
        self.work.content[offset : offset + LENGTH] = bytes([byte]) * LENGTH

    def expect_all(self) -> None:
        """Compare every byte that the device reads with what it should be."""
        copy = self.work.home / f"{self.device.name}.read"
        done = subprocess.run(
            [
                *("qemu-img", "convert", "-f", "raw", "-O", "raw"),
                *(f"nbd+unix:///?socket={self.client.disk}", str(copy)),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        assert copy.read_bytes() == self.work.content, self.device.name


def _client(work: Work, device: Device) -> Client:
    return work.estate.start_client(device.name, device.configuration(work.home))


def of_code(difference: Mapping[str, Any], code: str) -> list[Mapping[str, Any]]:
    return [one for one in difference["differences"] if one["code"] == code]


@dataclass
class Writers:
    """Three devices, each with a disk of another kind that it began after the backup."""

    goes_on: Writer
    """Changes an image for all, and runs through it all."""
    stays_off: Writer
    """Has a write cache that it finds again, and starts when all is over."""
    starts: Writer
    """Has a disk of its own, and starts while the farm observes."""

    def all(self) -> tuple[Writer, ...]:
        return (self.goes_on, self.stays_off, self.starts)

    def overlays(self) -> dict[str, dict[str, Any]]:
        """Say what they write to, as a person is shown it, but for what changes."""
        facts = ("id", "kind", "device", "server", "export", "base", "limit_bytes")
        shown = {one.device.name: one.work.overlay() for one in self.all()}
        return {name: {fact: one[fact] for fact in facts} for name, one in shown.items()}


def written_after_the_backup(lost: LostEstate, home: Path) -> tuple[str, Writers]:
    """Give the backup's file, and who has written since."""
    estate, ask = lost.estate, lost.estate.corral.ask
    ask("replication", "policy", "default", "2")
    works = [Work(estate, name, home) for name in ("maintained", "kept", "private")]
    ask("image", "set", "kept", "--write-cache", "server-persistent", "--cache-limit", "4MiB")
    ask("image", "set", "private", "--mode", "custom")
    devices = [work.device(f"pc-{work.name}", n) for n, work in enumerate(works, 10)]
    created = lost.back_up()
    ask("image", "maintain", "maintained", "--device", "pc-maintained")
    writers = Writers(*map(Writer.begin, works, devices))
    for writer in writers.all():
        writer.write(BEFORE)
        writer.work.wait_for_clients(1)
    for writer in (writers.stays_off, writers.starts):
        writer.client.end()
        writer.work.wait_for_clients(0)
    return created["path"], writers


def test_disks_that_devices_began_after_the_backup_stay_theirs(
    lost: LostEstate, tmp_path: Path
) -> None:
    estate = lost.estate
    backup, writers = written_after_the_backup(lost, tmp_path)
    before = writers.overlays()
    # All at once: the farm's records are those of the backup, and both servers are off.
    for name in ("api", "s1", "s2"):
        estate.kill(name)
    lost.restore(backup)
    estate.start_api()
    difference = estate.corral.ask("farm", "difference")
    assert of_code(difference, "overlay-newer") == []
    assert len(of_code(difference, "server-unheard")) == 2
    # Nobody knows yet whether it has a disk: it is given no empty one.
    assert writers.starts.device.ask().json()["code"] == "farm-observes"

    lost.come_back()
    difference = lost.wait_until_all_were_heard()
    assert {one["object"]: one["said"] for one in of_code(difference, "overlay-newer")} == {
        f"device {name}": f"{one['export']}, told {one['server']}" for name, one in before.items()
    }
    assert of_code(difference, "overlay-unclaimed") == []
    nothing_is_lost_meanwhile(lost, writers)
    assert estate.corral.ask("farm", "difference")["seen"] == difference["seen"]

    estate.corral.ask(
        *("farm", "accept", "--because", "the disk of the API broke", "--seen", difference["seen"])
    )
    lost.wait_until_all_work_as_always()
    assert writers.overlays() == before
    writers.goes_on.write(AFTER)
    for writer in writers.all():
        writer.begin_again()
        writer.expect_all()
        writer.write(AFTER)
    they_are_as_any_other(lost, writers)


def nothing_is_lost_meanwhile(lost: LostEstate, writers: Writers) -> None:
    """A device goes on, another starts, and what no version needs is collected."""
    writers.goes_on.write(MEANWHILE)
    writers.starts.begin_again()
    writers.starts.expect_all()
    writers.starts.write(MEANWHILE)
    for name in lost.running:
        lost.estate.corral.ask("store", "collect", name)
    for writer in (writers.goes_on, writers.starts):
        writer.expect_all()


def they_are_as_any_other(lost: LostEstate, writers: Writers) -> None:
    """One becomes a version, one is given up and goes, and one is left alone by that."""
    estate = lost.estate
    kept = writers.stays_off.work.overlay()
    for writer in (writers.goes_on, writers.stays_off):
        writer.client.end()
        writer.work.wait_for_clients(0)
    estate.corral.ask("image", "promote", "maintained", "--wait")
    for server in lost.running:
        writers.goes_on.work.expect("maintained/2", server)
    estate.corral.ask("device", "reset-cache", "pc-kept")
    folder = estate.servers[kept["server"]].store / "overlays" / kept["id"]
    estate.wait_for(lambda: not folder.exists(), "what was given up stays")
    writers.starts.begin_again()
    writers.starts.expect_all()
