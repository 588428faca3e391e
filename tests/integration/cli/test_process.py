"""The program as its users start it: exit codes, streams, and no traceback whatever happens."""

import json
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
from corral.farm.bootstrap import new_farm, open_farm
from corral.farm.domain.delivery.device import MacAddress, device_name
from corral.farm.domain.estate.farm import api_url, farm_name
from corral.farm.entrypoints.http.logins import Logins
from corral.farm.settings import FarmSettings

PROGRAM = "from corral.farm.entrypoints.cli.program import run; run()"


def corral(farm: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CORRAL_")}
    environment |= {"CORRAL_FARM": str(farm), "PYTHONPATH": str(Path("src").absolute())}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "farm"


@pytest.fixture
def home(folder: Path) -> Path:
    """A farm with two devices. Made in this process: to start a program is dear."""
    application = new_farm(FarmSettings.read(folder, {}))
    application.create_farm(farm_name("home"), (api_url("http://127.0.0.1:10800"),))
    for number in (1, 2):
        mac = MacAddress.parse(f"52:54:00:12:34:{number:02}")
        application.register_device(device_name(f"pc{number}"), mac)
    return folder


def test_a_farm_from_its_creation_to_a_device(folder: Path) -> None:
    assert corral(folder, "farm", "create", "home").returncode == 0
    added = corral(folder, "device", "add", "pc1", "--mac", "52:54:00:12:34:56", "--json")
    key_file = Path(json.loads(added.stdout)["key_file"])
    assert key_file.parent == folder / "devices"
    assert key_file.read_text().strip() not in added.stdout + added.stderr
    listed = json.loads(corral(folder, "device", "list", "--json").stdout)
    assert [one["name"] for one in listed] == ["pc1"]
    assert [path.name for path in folder.rglob("*") if path.stat().st_mode & 0o077] == []


def test_check_of_a_farm_without_its_database_says_what_goes_on(home: Path) -> None:
    settings = FarmSettings.read(home, {})
    farm = open_farm(settings)
    Logins(
        take=farm.take_login_snapshot,
        show_farm=farm.show_farm,
        key=farm.farm_key,
        kept=KeptLogins(settings.logins_file, farm.farm_key.public_key()),
        farm=farm.show_farm().farm,
        clock=SystemClock(),
        monotonic=time.monotonic,
    ).current()
    for path in home.glob("farm.db*"):
        path.unlink()
    (home / "farm.db").mkdir()
    said = corral(home, "farm", "check")
    assert (said.returncode, said.stderr) == (7, "")
    shown = " ".join(said.stdout.split())
    assert "database-unreachable" in shown
    assert "not looked at: servers" in shown
    told = json.loads(corral(home, "farm", "check", "--json").stdout)
    (finding,) = told["findings"]
    assert finding["object"] == f"database sqlite:///{home / 'farm.db'}"
    assert f"account {pwd.getpwuid(os.geteuid()).pw_name!r}" in finding["message"]
    assert "lets 0 of the 0 devices that it knows start meanwhile" in finding["message"]
    assert told["logins"]["known"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["image", "show", "x"], 3, "farm-unknown"),
        (["farm", "create", "NOT A NAME"], 1, "name-invalid"),
        (["nonsense"], 2, "usage"),
        (["image", "delete", "x"], 1, "version-name-invalid"),
    ],
)
def test_exit_codes(folder: Path, arguments: list[str], code: int, word: str) -> None:
    ended = corral(folder, *arguments)
    assert ended.returncode == code
    assert f"code: {word}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not folder.exists()


def test_database_that_is_none_is_said_without_a_traceback(folder: Path) -> None:
    folder.mkdir()
    (folder / "farm.db").write_bytes(b"garbage" * 1000)
    ended = corral(folder, "farm", "show", "--json")
    assert ended.returncode == 6
    assert json.loads(ended.stderr)["code"] == "farm-database"


def test_interrupt_while_the_program_is_loaded_leaves_no_traceback(folder: Path) -> None:
    press = "import signal, sys; sys.meta_path.insert(0, type('Reader', (), {'find_spec':"
    press += " lambda *_: signal.raise_signal(signal.SIGINT)}));"
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("import run; ", f"import run; {press}")],
        env={**os.environ, "CORRAL_FARM": str(folder), "PYTHONPATH": str(Path("src").absolute())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (130, "error: interrupted\ncode: interrupted\n")


def test_help_loads_no_database_and_no_tables() -> None:
    code = (
        "import sys; from corral.farm.entrypoints.cli.main import app;"
        "\ntry: app(['image', 'import', '--help'], prog_name='corral')"
        "\nexcept SystemExit: pass"
        "\nprint([m for m in ('sqlalchemy', 'alembic', 'fastapi', 'cryptography',"
        " 'corral_native', 'structlog') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path("src").absolute())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_shell_completes_names_from_the_farm(home: Path) -> None:
    environment = {
        **os.environ,
        "CORRAL_FARM": str(home),
        "PYTHONPATH": str(Path("src").absolute()),
        "_CORRAL_COMPLETE": "complete_bash",
        "COMP_WORDS": "corral device show p",
        "COMP_CWORD": "3",
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.split() == ["pc1", "pc2"]
    environment["CORRAL_FARM"] = str(home / "nothing")
    environment |= {"COMP_WORDS": f"corral --farm {home} device show p", "COMP_CWORD": "5"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.split() == ["pc1", "pc2"]
    environment |= {"COMP_WORDS": "corral device show p", "COMP_CWORD": "3"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout.strip(), ended.stderr) == ("", "")


def test_reader_that_goes_away_is_no_error(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "farm", "show", "--json"],
        env={**os.environ, "CORRAL_FARM": str(home), "PYTHONPATH": str(Path("src").absolute())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    with process:
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
