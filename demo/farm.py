"""The farm of the demonstration, driven from outside: ``corral … --json`` and its processes."""

from __future__ import annotations

import json
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from demo.errors import DemoError
from demo.processes import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.processes import Program, Programs, Runner

Answer: TypeAlias = "Mapping[str, Any]"
"""What a command printed: JSON, whose fields are checked where they are used."""

_LOOPBACK: Final = "127.0.0.1"
_START_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Server:
    """A stream server of the farm."""

    name: str
    stream_port: int
    chunk_port: int


@dataclass(frozen=True)
class Published:
    """A version that an import published."""

    name: str
    number: int
    root: str
    size_bytes: int
    chunks: int
    zero_chunks: int
    new_chunks: int
    stored_bytes: int
    changed_chunks: int
    """Against the version before; 0 for the first."""
    changed_bytes: int


@dataclass
class Farm:
    """A farm in a folder, on loopback, with its servers' stores beside it."""

    folder: Path
    _corral: Path
    _runner: Runner
    _programs: Programs
    _api_port: int
    tls: bool = False
    """Whether its processes speak TLS, though on loopback they need not."""
    _api: Program | None = None
    _streams: dict[str, Program] = field(default_factory=dict)
    _servers: dict[str, Server] = field(default_factory=dict)

    @classmethod
    def at(
        cls, home: Path, corral: Path, runner: Runner, programs: Programs, *, tls: bool = False
    ) -> Farm:
        """Prepare a farm and its stores in ``home``; what was left there is removed."""
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        return cls(home / "farm", corral, runner, programs, free_port(), tls)

    # what the command line does

    def create(self) -> None:
        """Make the farm: its folder, database and key."""
        self.ask(
            "farm", "create", "demo", "--api", self.api_url(_LOOPBACK), what="creating the farm"
        )

    def add_server(self, name: str, advertised_host: str) -> Server:
        """Register a server on loopback that devices reach at ``advertised_host``."""
        server = Server(name, free_port(), free_port())
        self.add(server, "--advertise", f"{advertised_host}:{server.stream_port}")
        return server

    def add(self, server: Server, *more: str) -> None:
        """Register a server on loopback whose store is beside the farm."""
        self.ask(
            *("server", "add", server.name),
            *("--store", str(self.folder.parent / server.name)),
            *("--listen", f"{_LOOPBACK}:{server.stream_port}"),
            *("--chunks", f"{_LOOPBACK}:{server.chunk_port}"),
            *more,
            what=f"adding server {server.name}",
        )
        self._servers[server.name] = server

    def import_image(self, image: str, disk: Path, *more: str) -> Published:
        """Import a disk as the next version of ``image``; the command shows its own progress."""
        return parse_import(
            self.ask(
                "image",
                "import",
                image,
                str(disk),
                *more,
                what=f"importing {disk.name}",
                shows_progress=True,
            )
        )

    def replicate(self, version: Published, server: Server) -> int:
        """Have ``server`` fetch what it lacks of ``version``, and wait; give the bytes fetched."""
        answer = self.ask(
            *("image", "replicate", version.name, "--to", server.name, "--wait"),
            what=f"{server.name} fetches the chunks of {version.name} that it lacks",
            shows_progress=True,
        )
        return parse_fetched_bytes(answer, server.name)

    def add_device(self, device: str, mac: str, image: str) -> Path:
        """Register a device that starts from ``image``; give the file with its key."""
        answer = self.ask(
            *("device", "add", device, "--mac", mac, "--image", image),
            what=f"adding device {device}",
        )
        return Path(str(answer["key_file"]))

    def sent_bytes(self, device: str) -> dict[str, int]:
        """Give what each server has sent to ``device`` in its sessions, as last reported."""
        return parse_sessions(self.ask("status", what="asking who streams what"), device)

    def serving(self, device: str, within_seconds: float) -> str:
        """Name the server that feeds ``device`` right now.

        A client keeps a second server warm, which has a session, too: the bytes tell them apart.
        """
        first = self.sent_bytes(device)
        grown: dict[str, int] = {}

        def some_server_sends() -> bool:
            self.expect_running()
            now = self.sent_bytes(device)
            grown.update({name: sent - first.get(name, 0) for name, sent in now.items()})
            return any(count > 0 for count in grown.values())

        wait_until(some_server_sends, within_seconds, f"no server reported bytes sent to {device}")
        return max(grown, key=lambda name: grown[name])

    # its processes

    def api_url(self, host: str) -> str:
        """Give the address of the API for one who reaches this machine as ``host``."""
        return f"{'https' if self.tls else 'http'}://{host}:{self._api_port}"

    def start_api(self) -> None:
        """Start the API and wait until it answers."""
        self._api = self._programs.start(
            "api",
            [
                *self._command("serve", "api"),
                *("--listen", f"{_LOOPBACK}:{self._api_port}", *self._tls_words()),
            ],
            environment=self._environment(),
        )
        self._wait_for_port(self._api, self._api_port, "the API")

    def start_stream(self, server: Server) -> None:
        """Start a server's stream process and wait until it listens."""
        configuration = self.folder / "servers" / f"{server.name}.json"
        program = self._programs.start(
            f"stream-{server.name}",
            [
                *self._command("serve", "stream"),
                *("--config", str(configuration), *self._tls_words()),
            ],
            environment=self._environment(),
        )
        self._streams[server.name] = program
        self._wait_for_port(program, server.stream_port, f"stream server {server.name}")

    def wait_until_online(self, server: Server) -> None:
        """Wait until the farm has heard of the server that it is up."""

        def is_online() -> bool:
            self.expect_running()
            return (
                parse_server_states(self.ask("status", what="asking who is online"))[server.name]
                == "online"
            )

        wait_until(is_online, _START_SECONDS, f"the farm did not hear from {server.name}")

    def kill_api(self) -> None:
        """``kill -9`` the API."""
        if self._api is not None:
            self._api.kill()
            self._api = None

    def kill_stream(self, server: Server) -> int:
        """``kill -9`` a server's stream process; returns the process id that it had."""
        program = self._streams.pop(server.name)
        program.kill()
        return program.pid

    def expect_running(self) -> None:
        """Fail with a process's last words if one ended that was not killed here."""
        for program in (self._api, *self._streams.values()):
            if program is not None:
                self._programs.expect_running(program)

    def _wait_for_port(self, program: Program, port: int, what: str) -> None:
        def accepts() -> bool:
            self._programs.expect_running(program)
            with socket.socket() as probe:
                return probe.connect_ex((_LOOPBACK, port)) == 0

        wait_until(accepts, _START_SECONDS, f"{what} did not listen on {_LOOPBACK}:{port}")

    # the command line

    def ask(
        self, *words: str, what: str, keeps_output: bool = True, shows_progress: bool = False
    ) -> Answer:
        """Run a command with ``--json``; give what it printed."""
        output = self._runner.run(
            "corral",
            [*self._command(*words), "--json"],
            what=what,
            environment=self._environment(),
            keeps_output=keeps_output,
            shows_progress=shows_progress,
        )
        return parse_answer(" ".join(words[:2]), output)

    def show(self, *words: str) -> list[str]:
        """Run a command as a person does; give the lines that it printed."""
        what = f"asking for {' '.join(words[:2])}"
        output = self._runner.run(
            "corral", self._command(*words), what=what, environment=self._environment()
        )
        return [line.rstrip() for line in output.splitlines() if line.strip()]

    def _tls_words(self) -> list[str]:
        return ["--tls"] if self.tls else []

    def _command(self, *words: str) -> list[str]:
        return [str(self._corral), *words]

    def _environment(self) -> dict[str, str]:
        return {"CORRAL_FARM": str(self.folder)}


def parse_answer(command: str, output: str) -> Answer:
    """Read what a command printed with ``--json``."""
    try:
        answer = json.loads(output)
    except json.JSONDecodeError as error:
        message = f"`corral {command} --json` did not print JSON: {output[:200]!r}"
        raise DemoError(message) from error
    if not isinstance(answer, dict):
        message = f"`corral {command} --json` printed no object: {output[:200]!r}"
        raise DemoError(message)
    return answer


def parse_import(answer: Answer) -> Published:
    """Read what ``corral image import`` printed."""
    if not answer["published"]:
        message = f"nothing was published: {answer['version']} already has the same content"
        raise DemoError(message)
    return Published(
        name=str(answer["version"]),
        number=int(answer["number"]),
        root=str(answer["root"]),
        size_bytes=int(answer["size_bytes"]),
        chunks=int(answer["chunks"]),
        zero_chunks=int(answer["zero_chunks"]),
        new_chunks=int(answer["new_chunks"]),
        stored_bytes=int(answer["stored_bytes"]),
        changed_chunks=int(answer["changed_chunks"] or 0),
        changed_bytes=int(answer["changed_bytes"] or 0),
    )


def parse_fetched_bytes(answer: Answer, server: str) -> int:
    """Read, of what ``corral image replicate`` printed, the bytes that ``server`` fetched."""
    for replica in answer["replicas"]:
        if replica["server"] == server:
            if replica["state"] != "complete":
                message = (
                    f"{server} holds no complete replica: {replica['state']} {replica['problem']}"
                )
                raise DemoError(message)
            return int(replica["fetched_bytes"])
    message = f"{server} is not among the servers that hold {answer['version']}"
    raise DemoError(message)


def parse_sessions(answer: Answer, device: str) -> dict[str, int]:
    """Read, of what ``corral status`` printed, the bytes sent to ``device`` by server."""
    sent: dict[str, int] = {}
    for session in answer["sessions"]:
        if session["device"] == device:
            name = str(session["server"])
            sent[name] = sent.get(name, 0) + int(session["sent_bytes"])
    return sent


def parse_server_states(answer: Answer) -> dict[str, str]:
    """Read, of what ``corral status`` printed, each server's state."""
    return {str(server["name"]): str(server["state"]) for server in answer["servers"]}
