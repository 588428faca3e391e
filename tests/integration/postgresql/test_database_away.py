"""Fifty devices stream, the farm's database is dead for a minute, and twenty of them restart."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Final

import httpx
import pytest
from demo.processes import wait_until

from corral.farm.bootstrap import open_farm
from corral.farm.domain.delivery.device import MacAddress, device_name
from corral.farm.domain.image.image import image_name
from corral.farm.settings import FarmSettings
from tests.integration.farm.client import Client, Reader
from tests.integration.farm.command import CORRAL
from tests.integration.farm.disks import write_random_disk
from tests.integration.farm.estate import IMAGE, SECONDS, Estate
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql

DEVICES: Final = 50
RESTARTED: Final = 20
AWAY_SECONDS: Final = 60.0
RATE: Final = 512 * 1024
"""Bytes a second that each device reads: an idle system, and not the machine's last core."""


@pytest.fixture
def estate(mortal: PostgreSQL, tmp_path: Path) -> Iterator[Estate]:
    estate = Estate.at(tmp_path)
    url = mortal.new_database()
    try:
        estate.corral.ask(
            *("farm", "create", "test", "--api", estate.api_url, "--database", url),
        )
        for name in ("s1", "s2"):
            estate.add_server(name)
        disk = write_random_disk(tmp_path / "disk.raw", 1 << 20)
        estate.version = estate.corral.ask("image", "import", IMAGE, str(disk), "--server", "s1")
        estate.bring_up()
        estate.corral.ask("image", "replicate", f"{IMAGE}/1", "--to", "s2", "--wait")
        yield estate
    finally:
        estate.end()


def register_devices(estate: Estate) -> dict[str, Path]:
    """As ``corral device add`` does, in one process instead of fifty."""
    application = open_farm(FarmSettings.read(estate.corral.farm, {}))
    return {
        f"pc{number}": application.register_device(
            device_name(f"pc{number}"),
            MacAddress.parse(f"52:54:00:00:01:{number:02x}"),
            image_name(IMAGE),
        ).key_file
        for number in range(DEVICES)
    }


def start(estate: Estate, name: str, key_file: Path) -> tuple[Client, Reader]:
    login = {"urls": [estate.api_url], "device": name, "key_file": str(key_file)}
    client = estate.start_client(name, {"login": login})
    return client, client.read_forever(estate.root, rate=RATE)


def health(estate: Estate) -> dict[str, object]:
    answer: dict[str, object] = httpx.get(
        f"{estate.api_url}/v1/health", trust_env=False, timeout=30
    ).json()
    return answer


def demand_changes_are_refused(estate: Estate, token: str) -> None:
    """Ask the API for changes of several kinds."""
    for path, change in (
        ("devices", {"name": "late", "mac": "52:54:00:00:02:01"}),
        ("servers/s1/drain", None),
        ("tasks", {"kind": "verify", "arguments": {"server": "s1"}}),
        ("sign-in", {"account": "ada", "password": "does not matter"}),
    ):
        answer = httpx.post(
            f"{estate.api_url}/v1/{path}",
            headers={"Authorization": f"Bearer {token}"},
            json=None if change is None else {"format": 1, **change},
            trust_env=False,
            timeout=30,
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "farm-database-unreachable")


def demand_age_is_shown(estate: Estate) -> None:
    seen = subprocess.run(
        [CORRAL, "status"],
        env=estate.corral.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (seen.returncode, seen.stdout) == (4, "")
    assert re.search(
        rf"snapshot of logins of .*, \d:\d\d:\d\d old: it knows {DEVICES} of them\n", seen.stderr
    )


def test_database_is_never_on_the_read_path(mortal: PostgreSQL, estate: Estate) -> None:
    keys = register_devices(estate)
    estate.corral.ask("account", "add", "ada", "--no-password")
    estate.corral.ask("role", "grant", "ada", "farm-administrator")
    token = estate.corral.ask("token", "create", "ci", "ada", "--scope", "*")["token"]
    running = {name: start(estate, name, key) for name, key in keys.items()}
    for _, reader in running.values():
        reader.go_on_for(1)
    # The snapshot that the API keeps must know them all before the database dies.
    logins = estate.corral.farm / "logins.json"

    def all_are_known() -> bool:
        if not logins.exists():
            return False
        snapshot = json.loads(json.loads(logins.read_bytes())["snapshot"])
        known = {device["name"]: device["answer"]["servers"] for device in snapshot["devices"]}
        return set(known) == set(keys) and all(len(servers) == 2 for servers in known.values())

    wait_until(all_are_known, SECONDS, "the snapshot does not know every device")

    mortal.kill()
    died_at = monotonic()
    wait_until(lambda: health(estate)["is_database_away"] is True, SECONDS, "nobody noticed")
    taken_at = health(estate)["logins_taken_at"]
    assert isinstance(taken_at, int)

    for name in list(keys)[:RESTARTED]:
        client, reader = running[name]
        estate.programs.stop(reader.program)
        estate.programs.stop(client.program)
        running[name] = start(estate, name, keys[name])

    answered = httpx.post(
        f"{estate.api_url}/v1/devices/pc0/login",
        headers={"Authorization": f"Bearer {keys['pc0'].read_text().strip()}"},
        trust_env=False,
        timeout=30,
    )
    assert answered.json()["answered_from"] == taken_at

    said = set()
    for name in ("pc0", "nobody"):
        stranger = httpx.post(
            f"{estate.api_url}/v1/devices/{name}/login",
            headers={"Authorization": f"Bearer {'A' * 43}"},
            trust_env=False,
            timeout=30,
        )
        said.add((stranger.status_code, stranger.text.replace(name, "NAME")))
    assert len(said) == 1

    # A change is refused with the reason, and nothing of it is done later.
    refused = estate.corral.refusal("device", "add", "late", "--mac", "52:54:00:00:02:01")
    assert refused.code == "farm-database-unreachable"
    demand_changes_are_refused(estate, token)
    # How old is that from which devices start, is seen by whoever looks.
    demand_age_is_shown(estate)
    passed = int(monotonic() - died_at)
    age = health(estate)["logins_age_seconds"]
    assert isinstance(age, int)
    assert age >= passed

    wait_until(lambda: monotonic() - died_at > AWAY_SECONDS, 2 * AWAY_SECONDS, "time stands still")
    for _, reader in running.values():
        reader.go_on_for(1)

    mortal.start()
    wait_until(lambda: health(estate)["is_database_away"] is False, SECONDS, "it was not met again")
    estate.wait_for(lambda: set(estate.states().values()) == {"online"}, "servers are not online")
    estate.wait_for(lambda: sum(estate.session_counts().values()) >= DEVICES, "streams are missing")
    names = {line["name"] for line in estate.corral.ask("device", "list")}
    assert "late" not in names
    # Nor is the server drained, nor a task queued: nothing of what was refused comes about.
    (s1,) = (one for one in estate.corral.ask("server", "list") if one["name"] == "s1")
    assert not s1["draining"]
    assert estate.corral.ask("task", "list", "--filter", "kind=verify") == []
    for _, reader in running.values():
        seen = reader.reading()
        assert not seen.errors
        assert set(seen.verdicts) == {"ok"}
