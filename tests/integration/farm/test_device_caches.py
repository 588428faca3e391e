"""Devices that keep their writes themselves: their client, and what the farm says of it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.integration.farm.client import Client
from tests.integration.farm.estate import IMAGE, SECONDS, Estate

MIB: Final = 1 << 20


@contextmanager
def device(estate: Estate, name: str, number: int, setting: str, *options: str) -> Iterator[Client]:
    """Start the client of a new device with a setting of its own."""
    mac = f"52:54:00:88:00:{number:02x}"
    added = estate.corral.ask("device", "add", name, "--mac", mac, "--image", IMAGE)
    estate.corral.ask("device", "set-cache", name, *setting.split())
    login = {"urls": [estate.api_url], "device": name, "key_file": added["key_file"]}
    client = estate.start_client(name, {"login": login}, options=options)
    try:
        yield client
    finally:
        client.end()


def qemu_io(client: Client, *commands: str) -> str:
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", "-f", "raw", *words, f"nbd+unix:///?socket={client.disk}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    output = done.stdout + done.stderr
    assert "verification failed" not in output, output
    return output


def shown(estate: Estate, name: str) -> dict[str, Any]:
    view: dict[str, Any] = estate.corral.ask("device", "show", name)
    return view


def findings(estate: Estate, name: str) -> list[str]:
    """Give what the farm check says of a device's write cache."""
    found = json.loads(estate.corral.run("farm", "check").stdout)["findings"]
    return [one["message"] for one in found if one["code"] == "write-cache" and name in str(one)]


def test_a_full_cache_disk_fails_one_write_and_the_farm_says_so(
    estate: Estate, tmp_path: Path
) -> None:
    disk = tmp_path / "cache"
    with disk.open("wb") as file:
        file.truncate(8 * MIB)
    setting = "device-disk --limit 2MiB"
    with device(estate, "diskful", 1, setting, "--cache-disk", str(disk)) as client:
        qemu_io(client, "write -P 1 0 1M", "read -P 1 0 1M")
        estate.wait_for(
            lambda: (
                (shown(estate, "diskful")["write_cache_used"] or {}).get("kind") == "device-disk"
            ),
            "the farm was not told what is used",
        )
        assert shown(estate, "diskful")["warning"] == ""
        output = qemu_io(client, "write -P 2 2M 1020k", "write -P 3 5M 64k", "read -P 2 2M 1020k")
        assert output.count("No space left on device") == 1
        estate.wait_for(
            lambda: "full" in shown(estate, "diskful")["warning"],
            "the farm does not say that the cache is full",
        )
        assert any("full" in one for one in findings(estate, "diskful"))
        assert "diskful" in [one["device"] for one in estate.status()["warnings"]]


def test_a_cache_in_memory_is_warned_of_before_it_is_full(estate: Estate) -> None:
    setting, memory = "device-ram --limit 2MiB", ("--cache-memory", str(64 * MIB))
    with device(estate, "ramful", 4, setting, *memory) as client:
        output = qemu_io(client, "write -P 1 0 1740k", "read -P 1 0 1740k")
        assert "No space left" not in output
        estate.wait_for(
            lambda: bool(re.search(r"cache is 8\d % full", shown(estate, "ramful")["warning"])),
            "the farm does not say that the cache fills",
        )
        used = shown(estate, "ramful")["write_cache_used"]
        assert used["kind"] == "device-ram"
        assert used["used_bytes"] < used["limit_bytes"] == 2 * MIB
        assert findings(estate, "ramful")
        assert "ramful" in [one["device"] for one in estate.status()["warnings"]]
        # There was room left; now there is none, for that write alone.
        output = qemu_io(client, "write -P 2 2M 300k", "write -P 3 4M 512k", "read -P 2 2M 300k")
        assert output.count("No space left on device") == 1


def test_a_missing_cache_disk_falls_back_and_the_farm_says_so(estate: Estate) -> None:
    setting = "device-disk --fallback device-ram"
    with device(estate, "diskless", 2, setting, "--cache-disk", "/nowhere/cache") as client:
        qemu_io(client, "write -P 1 0 64k", "read -P 1 0 64k", "flush")
        said = "uses device-ram instead of device-disk: cache disk /nowhere/cache cannot be opened"
        estate.wait_for(
            lambda: said in shown(estate, "diskless")["warning"], "the farm does not say why"
        )
        assert any(said in one for one in findings(estate, "diskless"))


def test_a_missing_cache_disk_falls_back_to_a_server(estate: Estate) -> None:
    setting = "device-disk --limit 4MiB --fallback server"
    with device(estate, "served", 3, setting, "--cache-disk", "/nowhere/cache") as client:
        qemu_io(client, "write -P 1 0 64k", "flush", "read -P 1 0 64k")
        view = shown(estate, "served")
        assert view["warning"].startswith("uses server instead of device-disk")
        assert [one["kind"] for one in view["overlays"]] == ["server"]
