"""Who sees the stream from its far end: a guest without a disk, or a reader on a socket.

Both read the whole version again and again against its root hash, and say on a console what they
saw.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, Protocol

from demo import initramfs
from demo.console import Console
from demo.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo.kernel import Kernel
    from demo.processes import Program, Programs

GUEST_SEES_HOST_AS: Final = "10.0.2.2"
"""Loopback of the host, as QEMU's user-mode network shows it to the guest."""

MAC: Final = "52:54:00:c0:44:a1"
"""The address of the guest's network card."""

_MEMORY_MIB: Final = 512
_SOCKET_SECONDS: Final = 30.0
_COMMAND_LINE: Final = (
    # What boots an emulated machine fastest; `loglevel=4` lets errors, and only those, through to
    # the console.
    "console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off nokaslr tsc=reliable no_timer_check "
    "systemd.show_status=0"
)


@dataclass(frozen=True)
class DeviceLogin:
    """How a device gets its disk."""

    device: str
    urls: tuple[str, ...]
    key: str = field(repr=False)
    authority: bytes | None = None
    """The farm's root certificate, if it speaks TLS."""

    def configuration(
        self, key_file: str, write_cache: str | None = None, ca_file: str | None = None
    ) -> bytes:
        """Give the client's configuration file; the key stands in ``key_file``.

        ``write_cache`` is the folder of the write cache in the device's own memory, if it has one,
        and ``ca_file`` the farm's root certificate, if it speaks TLS.
        """
        login: dict[str, object] = {
            "urls": list(self.urls),
            "device": self.device,
            "key_file": key_file,
        }
        if write_cache is not None:
            login["write_cache"] = write_cache
        if ca_file is not None:
            login["ca_file"] = ca_file
        return json.dumps({"login": login}).encode()


class Witness(Protocol):
    """One who reads the stream."""

    console: Console

    def stop(self) -> None:
        """End it."""


@dataclass
class Guest:
    """A machine without a disk, emulated by QEMU, whose root file system is streamed to it."""

    console: Console
    started_at: float
    _programs: Programs
    _program: Program
    _initrd: Path

    @classmethod
    def start(  # noqa: PLR0913 - what a machine is started with
        cls,
        name: str,
        *,
        kernel: Kernel,
        base: bytes,
        login: DeviceLogin,
        folder: Path,
        programs: Programs,
        within: Sequence[str] = (),
        wishes: str = "",
    ) -> Guest:
        """Power the machine on.

        ``base`` is an initramfs; the key is appended to it, never put on a command line.
        ``within`` stands before the command, and says where it runs. ``wishes`` is what its probe
        reads of how to read, and what to say.
        """
        ca_file = None if login.authority is None else "/etc/corral/ca.pem"
        cache = "/run/corral/cache"
        secrets = {
            "target.json": login.configuration("/etc/corral/device.key", cache, ca_file),
            "device.key": login.key.encode(),
            "ca.pem": login.authority or b"",
            "probe": wishes.encode(),
        }
        initrd = folder / f"{name}.initrd"
        initrd.touch(mode=0o600)
        initrd.write_bytes(base + initramfs.personality(secrets))
        command = [
            *(*within, "qemu-system-x86_64"),
            *(
                "-accel",
                "tcg,thread=multi,tb-size=256",
                "-cpu",
                "qemu64",
                "-smp",
                str(min(2, os.cpu_count() or 1)),
            ),
            *("-machine", "q35,graphics=off", "-m", str(_MEMORY_MIB), "-no-reboot"),
            *("-nodefaults", "-display", "none", "-vga", "none", "-serial", "stdio"),
            *("-netdev", "user,id=net", "-device", f"virtio-net-pci,netdev=net,romfile=,mac={MAC}"),
            *("-kernel", str(kernel.image), "-initrd", str(initrd), "-append", _COMMAND_LINE),
        ]
        started_at = time.monotonic()
        console, program = listen(name, command, folder, programs)
        return cls(console, started_at, programs, program, initrd)

    def stop(self) -> None:
        """Pull the plug: its writes are in its memory, and its disk is elsewhere."""
        self._programs.stop(self._program)
        self._initrd.unlink(missing_ok=True)


@dataclass
class Reader:
    """The client on a unix socket and a verifying reader at it: as a guest, without one."""

    console: Console
    started_at: float
    _programs: Programs
    _started: list[Program]
    _files: list[Path]

    @classmethod
    def start(  # noqa: PLR0913 - what a reader is started with
        cls,
        name: str,
        *,
        client: Path,
        login: DeviceLogin,
        root: str,
        folder: Path,
        programs: Programs,
    ) -> Reader:
        """Log in, serve the disk on a unix socket, and start to read it."""
        key, configuration, disk = (folder / f"{name}.{kind}" for kind in ("key", "json", "socket"))
        key.touch(mode=0o600)
        key.write_text(login.key, encoding="utf-8")
        configuration.write_bytes(login.configuration(str(key)))
        disk.unlink(missing_ok=True)
        started_at = time.monotonic()
        serve = programs.start(
            f"{name}-client",
            [str(client), "serve", "--config", str(configuration), "--unix", str(disk)],
        )

        def is_listening() -> bool:
            programs.expect_running(serve)
            return is_listened_at(disk)

        wait_until(is_listening, _SOCKET_SECONDS, f"the client did not serve {disk}")
        console, verify = listen(
            name, [str(client), "verify", "--unix", str(disk), "--root", root], folder, programs
        )
        return cls(console, started_at, programs, [verify, serve], [key, configuration, disk])

    def stop(self) -> None:
        """End the reader and then the client."""
        for program in self._started:
            self._programs.stop(program)
        for file in self._files:
            file.unlink(missing_ok=True)


def is_listened_at(path: Path) -> bool:
    """Whether somebody listens at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def listen(
    name: str, command: list[str], folder: Path, programs: Programs
) -> tuple[Console, Program]:
    """Start ``command``; feed its lines to a console, and with their times to a log."""
    console = Console()
    read_end, write_end = os.pipe()
    started_at = time.monotonic()
    try:
        program = programs.start(name, command, output=write_end)
    finally:
        os.close(write_end)
    log = (folder / f"{name}.console.log").open("w", encoding="utf-8")
    stream = os.fdopen(read_end, "rb", buffering=0)
    # A daemon: it must not keep the demonstration from ending should the program's end of the pipe
    # outlive it.
    threading.Thread(
        target=_copy, args=(stream, console, log, started_at), daemon=True, name=name
    ).start()
    return console, program


def _copy(stream: IO[bytes], console: Console, log: IO[str], started_at: float) -> None:
    with stream, log:
        while data := stream.read(65536):
            for line in console.feed(data):
                log.write(f"{time.monotonic() - started_at:8.2f} {line}\n")
            log.flush()
    console.end()
