"""A PostgreSQL server of one's own, from Debian's package.

It refuses to run as root, so that root starts it as another user. It listens on a socket in its
folder and on a port of the loopback, and forgets its data with the folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import psycopg

from demo.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

USER: Final = "corral"
PASSWORD: Final = "kept in a file"  # noqa: S105 - of a server that lives for one run

_STARTING_SECONDS: Final = 60
_LOOKS_A_SECOND: Final = 20


def programs() -> Path | None:
    """Give the folder of the newest server that is installed."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
    return None if newest is None else newest.parent


@dataclass
class PostgreSQL:
    """One server, with databases made on demand."""

    programs: Path
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="corral-pg-")))
    port: int = field(default_factory=free_port)
    address: str = "127.0.0.1"
    within: Sequence[str] = ()
    """Words before the command that starts it: where it is to run."""
    dies_with_us: bool = False
    """Whether it is killed when the thread that starts it ends."""
    _databases: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        self._give_away(self.folder, password)
        self._run(
            "initdb",
            *("--pgdata", "data", "--username", USER, "--pwfile", "password", "--no-sync"),
            *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
            # Sorts words as people do, so that a query that forgets to say its order shows.
            *("--locale-provider", "icu", "--icu-locale", "en-US-u-ka-shifted"),
        )
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")

    def start(self) -> None:
        """Start it, and come back when it answers."""
        for _ in range(_STARTING_SECONDS * _LOOKS_A_SECOND):
            # Right after a kill, what the killed one left behind may still be in its way.
            if self._process is None or self._process.poll() is not None:
                self._process = self._launched()
            try:
                self.connection("postgres").close()
            except psycopg.OperationalError:
                Event().wait(1 / _LOOKS_A_SECOND)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """Kill it as a power cut would, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it, whatever it is doing."""
        self._end(signal.SIGINT)

    def remove(self) -> None:
        """Stop it and forget its data."""
        self.stop()
        shutil.rmtree(self.folder)

    def new_database(self, copy_of: str = "template1") -> str:
        """Make an empty database, or one like another that nobody is connected to; give its URL."""
        self._databases += 1
        name = f"farm{self._databases}"
        with self.connection("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {copy_of}")
        return self.url(name)

    def url(self, database: str) -> str:
        """Give the URL of a database, over the socket, where no password is asked for."""
        return f"postgresql://{USER}@/{database}?host={self.folder}&port={self.port}"

    def network_url(self, database: str) -> str:
        """Give the URL of a database for other machines, who need a password."""
        return f"postgresql://{USER}@{self.address}:{self.port}/{database}"

    def pass_file(self, password: str = PASSWORD) -> Path:
        """Write a file of passwords; what the loopback asks for."""
        path = self.folder / "passwords"
        path.write_text(f"*:*:*:{USER}:{password}\n")
        path.chmod(0o600)
        return path

    def connection(self, database: str) -> psycopg.Connection[Any]:
        """Connect as a person would who looks after it."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def _launched(self) -> subprocess.Popen[bytes]:
        options = {
            "unix_socket_directories": self.folder,
            "listen_addresses": self.address,
            "port": self.port,
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_connections": 60,
            "autovacuum": "off",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        become = ["setpriv"]
        if self._owner is not None:
            become += ["--reuid", self._owner, "--regid", self._owner, "--clear-groups"]
        if self.dies_with_us:
            become += ["--pdeathsig", "KILL"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*self.within, *become, self.programs / "postgres", "-D", "data", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(_STARTING_SECONDS)
        self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=self._owner,
            group=None if self._owner is None else pwd.getpwnam(self._owner).pw_gid,
            extra_groups=None if self._owner is None else [],
        )

    def _give_away(self, *paths: Path) -> None:
        if self._owner is not None:
            for path in paths:
                shutil.chown(path, self._owner)

    @property
    def _owner(self) -> str | None:
        """The user that it runs as; none for that of the tests."""
        return "postgres" if os.geteuid() == 0 else None
