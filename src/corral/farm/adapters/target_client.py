"""The device's own client, as a canary: it reads a disk through one server and judges it."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corral.farm.application.ports.scratch import Scratch
    from corral.farm.application.ports.upgrades import CanaryDisk

_PROGRAM: Final = "corral-target"
_START_SECONDS: Final = 30
_PATIENCE_SECONDS: Final = 10
_LONGEST_SECONDS: Final = 3600


class TargetClient:
    """``corral-target``, if it is installed here."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    @property
    def is_here(self) -> bool:
        """Whether it is found among the programs."""
        return shutil.which(_PROGRAM) is not None

    def read(self, disk: CanaryDisk) -> str:
        """Read the whole disk once; what is wrong is told in the client's own words."""
        program = shutil.which(_PROGRAM)
        if program is None:
            return f"{_PROGRAM} is not installed"
        with self._scratch.folder("canary") as folder:
            reading = _Reading(program, folder)
            # The folder is its owner's alone, and the ticket with it.
            reading.config.write_text(json.dumps(_login(disk)))
            with reading.serving() as problem:
                return problem or reading.verified(disk.root.hex)


class _Reading:
    """One client, and the reader of what it serves."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self.config = folder / "login.json"
        self._disk = folder / "disk.sock"
        self._control = folder / "control.sock"
        self._log = folder / "log"

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the client; give why it does not serve, if it does not."""
        places = ["--unix", str(self._disk), "--control", str(self._control)]
        command = [self._program, "serve", "--config", str(self.config), *places]
        with (
            self._log.open("wb") as output,
            subprocess.Popen(  # noqa: S603 - our own program
                [*command, "--error-patience", str(_PATIENCE_SECONDS), "--log-format", "json"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            ) as client,
        ):
            try:
                yield self._wait_for(client)
            finally:
                _end(client)

    def _wait_for(self, client: subprocess.Popen[bytes]) -> str:
        for _ in range(_START_SECONDS * 10):
            if self._disk.exists():
                return ""
            try:
                client.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            return self._last_word() or "the client ended"
        return f"the client did not serve within {_START_SECONDS} s"

    def verified(self, root: str) -> str:
        """Have the disk read; one whose server lets nobody in would be waited for without end."""
        command = [self._program, "verify", "--unix", str(self._disk), "--root", root]
        with subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--passes", "1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as reader:
            try:
                for _ in range(_LONGEST_SECONDS):
                    try:
                        said, _ = reader.communicate(timeout=1)
                    except subprocess.TimeoutExpired:
                        away = self._seconds_without_server()
                        if away > _PATIENCE_SECONDS:
                            return self._last_word() or f"no connection for {away:.0f} s"
                    else:
                        wrong = _last_line(said) or "what was read is not what it should be"
                        return "" if reader.returncode == 0 else wrong
                return f"the disk was not read within {_LONGEST_SECONDS // 60} minutes"
            finally:
                _end(reader)

    def _seconds_without_server(self) -> float:
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                [self._program, "status", "--control", str(self._control)],
                check=False,
                capture_output=True,
                text=True,
                timeout=_START_SECONDS,
            )
            known = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            return float(_START_SECONDS)
        except json.JSONDecodeError:
            return 0.0
        return float(known.get("without_server_ms") or 0) / 1000

    def _last_word(self) -> str:
        """Give what the client's log ends with, without what is for programs."""
        line = _last_line(self._log.read_text("utf-8", "replace"))
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            return line
        words = (str(said[name]) for name in ("event", "error", "reason", "detail") if name in said)
        return ": ".join(words) or line


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _login(disk: CanaryDisk) -> dict[str, object]:
    return {
        "format": 1,
        "device": "canary",
        "export": disk.export,
        "root": disk.root.hex,
        "size_bytes": disk.size_bytes,
        "ticket": disk.ticket,
        "expires_at": int(disk.expires_at.timestamp()),
        "write_cache": "device-ram",
        "cache_limit_bytes": None,
        "cache_fallback": None,
        "writable": False,
        "servers": [
            {
                "name": disk.server,
                "addresses": [str(address) for address in disk.addresses],
                "tls": disk.tls,
            }
        ],
        "certificate_authority": disk.authority if disk.tls else None,
    }
