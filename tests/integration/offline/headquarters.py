"""A farm as it stands in an office: an API and a server under TLS, of real processes."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from demo.processes import Program, Programs, free_port, wait_until

from corral.farm.application.list_rollouts import RolloutDetails
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import open_farm
from corral.farm.domain.computer.check_in import CheckIn, SeenMachine
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.estate.server import ServerState
from corral.farm.domain.rollout.rollout import rollout_name
from corral.farm.settings import FarmSettings
from tests.integration.engine.computer import Computer
from tests.integration.farm.command import CORRAL, CommandLine

SECONDS: Final = 300.0
SERVER: Final = "s1"


@dataclass
class Headquarters:
    """What people do is done by commands; what only is looked at is read without one."""

    home: Path
    corral: CommandLine
    programs: Programs
    api_port: int = field(default_factory=free_port)
    app: Application = field(init=False)
    _running: dict[str, Program] = field(default_factory=dict)

    @classmethod
    def at(cls, home: Path) -> "Headquarters":
        logs = home / "logs"
        logs.mkdir(parents=True)
        farm = home / "farm"
        corral = CommandLine(farm, logs / "corral.log")
        return cls(home, corral, Programs(logs))

    def build(self) -> None:
        self.corral.ask("farm", "create", "hq", "--api", self.url)
        self.app = open_farm(FarmSettings.embedded(self.corral.farm))
        self.corral.ask(
            *("server", "add", SERVER, "--store", str(self.home / SERVER)),
            *("--listen", f"127.0.0.1:{free_port()}", "--chunks", f"127.0.0.1:{free_port()}"),
        )
        self.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def authority(self) -> Path:
        return self.corral.farm / "ca.pem"

    # its processes

    def start(self) -> None:
        """Start what does not run, and wait until all is well."""
        listen = ("--listen", f"127.0.0.1:{self.api_port}")
        self._start("api", "serve", "api", *listen, "--tls")
        file = self.corral.farm / "servers" / f"{SERVER}.json"
        self._start(SERVER, "serve", "stream", "--config", str(file), "--tls")
        self.wait_for(self._is_well, "its server did not come online under TLS")

    def cut(self) -> None:
        """Kill -9 all of it: no computer reaches anything any more."""
        for name in ("api", SERVER):
            self.kill(name)

    def kill(self, name: str) -> None:
        self._running.pop(name).kill()

    def end(self) -> None:
        self.programs.stop_all()

    def _start(self, name: str, *words: str) -> None:
        if name not in self._running:
            self._running[name] = self.programs.start(
                name, [CORRAL, *words], environment=self.corral.environment()
            )

    def _is_well(self) -> bool:
        for program in self._running.values():
            self.programs.expect_running(program)
        # What the farm says of its server may be from before the API was killed.
        if not self._listens():
            return False
        (seen,) = self.app.list_servers()
        (known,) = self.app.show_certificates().servers
        return seen.state is ServerState.ONLINE and known.requires_tls

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.api_port), timeout=SECONDS).close()
        except ConnectionRefusedError:
            return False
        return True

    # what people do, and see

    def code_for(self, user: str) -> str:
        """Make a one-time code."""
        return str(self.corral.ask("computer", "code", "--user", user)["code"])

    def register(self, computer: Computer, name: str, user: str) -> None:
        words = ("--name", name, "--ca", str(self.authority))
        computer.run("register", self.url, *words, code=self.code_for(user))

    def row_of(self, image: str, user: str) -> Any:  # noqa: ANN401 - JSON
        """Give what a person is shown of a user beside an image."""
        rows = self.corral.ask("image", "users", image)
        (row,) = (one for one in rows if one["name"] == user)
        return row

    # what is read without a command

    def said(self, computer: str = "laptop") -> CheckIn | None:
        """Give what a computer last said."""
        return self.app.show_computer(computer_name(computer)).said

    def machine(self, image: str = "debian", computer: str = "laptop") -> SeenMachine | None:
        """Give what a computer last said of its machine."""
        said = self.said(computer)
        found = () if said is None else said.machines
        return next((one for one in found if one.image == image), None)

    def rollout(self, name: str) -> RolloutDetails:
        return self.app.show_rollout(rollout_name(name))

    def wait_for(self, condition: Callable[[], bool], otherwise: str) -> None:
        wait_until(condition, SECONDS, otherwise)

    def wait_for_word(
        self, is_so: Callable[[SeenMachine], bool], otherwise: str, computer: str = "laptop"
    ) -> SeenMachine:
        """Wait until a computer has told the farm something of its machine."""
        heard: list[SeenMachine] = []

        def is_told() -> bool:
            machine = self.machine(computer=computer)
            heard[:] = [] if machine is None else [machine]
            return machine is not None and is_so(machine)

        try:
            self.wait_for(is_told, f"the farm did not hear that {otherwise}")
        except Exception as error:
            error.add_note(f"last heard: {heard}")
            error.add_note(self.log())
            raise
        return heard[0]

    def client(self) -> httpx.Client:
        """Give what asks the API as an engine does."""
        context = ssl.create_default_context(cafile=str(self.authority))
        return httpx.Client(base_url=self.url, verify=context, timeout=60.0, trust_env=False)

    def log(self) -> str:
        logs = sorted(self.programs.logs.glob("*.log"))
        return "\n".join(f"== {one.name}\n{one.read_text()[-3000:]}" for one in logs)
