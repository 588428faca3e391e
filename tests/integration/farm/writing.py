"""Devices that write over versions, on disks small enough to compare every byte of them."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.integration.farm.estate import SECONDS, Estate, nbd_node

MIB: Final = 1 << 20
SIZE: Final = 8 * MIB


@dataclass
class Device:
    """A device of the farm, as far as its logins go."""

    estate: Estate
    name: str
    key: str

    def ask(self, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return httpx.post(
            f"{self.estate.api_url}/v1/devices/{self.name}/login",
            headers={"Authorization": f"Bearer {self.key}"},
            json=body,
            timeout=SECONDS,
            trust_env=False,
        )

    def login(self) -> dict[str, Any]:
        """Log in as a device does that is told to try again."""
        answers: list[httpx.Response] = []

        def is_let_in() -> bool:
            answers.append(self.ask())
            return answers[-1].status_code == 200

        self.estate.wait_for(is_let_in, f"{self.name} was not let in: {answers[-1:]}")
        answer: dict[str, Any] = answers[-1].json()
        return answer

    def configuration(self, home: Path) -> dict[str, Any]:
        """Give what the device's client logs in with."""
        key_file = home / f"{self.name}.key"
        key_file.touch(mode=0o600)
        key_file.write_text(self.key)
        urls = [self.estate.api_url]
        return {"login": {"urls": urls, "device": self.name, "key_file": str(key_file)}}

    def node(self, answer: Mapping[str, Any]) -> str:
        return nbd_node(self.estate.servers[answer["servers"][0]["name"]], answer)

    def qemu_io(self, answer: Mapping[str, Any], *commands: str) -> str:
        """Run commands on what the device was given; each must do what it says."""
        words = [word for command in commands for word in ("-c", command)]
        done = subprocess.run(
            ["qemu-io", *([] if answer["writable"] else ["-r"]), *words, self.node(answer)],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "failed" not in done.stdout, done.stdout
        return done.stdout

    @contextmanager
    def switched_on(self, answer: Mapping[str, Any]) -> Iterator[None]:
        """Hold the disk for the length of the block, as a device does that runs."""
        process = subprocess.Popen(
            ["qemu-io", self.node(answer)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.communicate(b"quit\n", timeout=SECONDS)


class Work:
    """An image of its own, on both servers, with the content of its first version."""

    def __init__(self, estate: Estate, name: str, home: Path) -> None:
        self.estate = estate
        self.name = name
        self.home = home
        self.content = bytearray(bytes(range(1, 252)) * (SIZE // 251 + 1))[:SIZE]
        self.content[MIB : 2 * MIB] = bytes(MIB)
        path = home / f"{name}.raw"
        path.write_bytes(self.content)
        estate.corral.ask(
            *("image", "import", name, str(path), "--server", "s1", "--format", "raw")
        )
        estate.corral.ask("image", "replicate", f"{name}/1", "--to", "s2", "--wait")

    def device(self, name: str, number: int) -> Device:
        mac = f"52:54:00:77:00:{number:02x}"
        added = self.estate.corral.ask("device", "add", name, "--mac", mac, "--image", self.name)
        return Device(self.estate, name, Path(added["key_file"]).read_text().strip())

    def overlay(self) -> dict[str, Any]:
        (overlay,) = self.estate.corral.ask("image", "show", self.name)["overlays"]
        answer: dict[str, Any] = overlay
        return answer

    def wait_for_clients(self, count: int) -> None:
        self.estate.wait_for(
            lambda: self.overlay()["clients"] == count, f"the farm does not see {count} writers"
        )

    def expect(self, version: str, server: str) -> None:
        """Compare every byte of a version in a server's store with what it should be."""
        path = self.home / f"{server}.raw"
        words = ("--server", server, "--format", "raw", "--overwrite")
        self.estate.corral.ask("image", "export", version, str(path), *words)
        assert path.read_bytes() == self.content


def on_disk(socket: Path, *commands: str, is_written: bool = True) -> None:
    """Run qemu-io's commands on the disk that a device's client serves."""
    words = [word for command in commands for word in ("-c", command)]
    disk = f"nbd+unix:///?socket={socket}"
    done = subprocess.run(
        ["qemu-io", "-f", "raw", *([] if is_written else ["-r"]), *words, disk],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout, done.stdout


def work_byte(offset: int) -> int:
    """Give what the first version has there."""
    return offset % 251 + 1
