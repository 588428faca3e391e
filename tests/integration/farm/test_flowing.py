"""Versions flow by themselves to every server of the store, at the rate of its site."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.farm.disks import write_random_disk
from tests.integration.farm.estate import IMAGE, Estate, Server

SIZE_BYTES: Final = 4 << 20


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    """Two servers, nothing on them yet, and the policy that a farm begins with."""
    estate = Estate.at(tmp_path)
    try:
        estate.corral.ask("farm", "create", "test", "--api", estate.api_url)
        for name in ("s1", "s2"):
            estate.add_server(name)
        estate.bring_up()
        yield estate
    finally:
        estate.end()


def copies(estate: Estate) -> dict[str, Any]:
    return {line["server"]: line for line in estate.corral.ask("replication", "status")}


def is_in_step(estate: Estate, server: str) -> bool:
    line = copies(estate).get(server)
    return line is not None and line["state"] == "in step"


def kept_rate(server: Server) -> int | None:
    """Give the limit of which a server has heard."""
    if not server.kept_configuration.exists():
        return None
    rate: int | None = json.loads(server.kept_configuration.read_bytes())["replication_rate"]
    return rate


def has_share(estate: Estate, name: str, rate: int) -> bool:
    return kept_rate(estate.servers[name]) == rate


def publish(estate: Estate, home: Path) -> None:
    disk = write_random_disk(home / "disk.raw", SIZE_BYTES)
    estate.version = estate.corral.ask("image", "import", IMAGE, str(disk), "--server", "s1")


def test_new_version_is_on_every_server_without_anybody_asking(
    estate: Estate, tmp_path: Path
) -> None:
    publish(estate, tmp_path)
    estate.wait_for(lambda: is_in_step(estate, "s2"), "the version did not flow")
    assert copies(estate)["s2"]["left_bytes"] == 0
    assert copies(estate)["s2"]["percent"] == 100


def test_slow_line_is_kept_to_and_a_killed_copy_goes_on_where_it_was(
    estate: Estate, tmp_path: Path
) -> None:
    # So slow that it surely goes on while we look: a chunk in 16 seconds.
    estate.corral.ask("replication", "limit", "default", "--rate", "4K")
    estate.wait_for(lambda: kept_rate(estate.servers["s2"]) == 4096, "the limit did not arrive")
    publish(estate, tmp_path)
    estate.wait_for(
        lambda: copies(estate).get("s2", {"done_bytes": 0})["done_bytes"] > 0, "nothing came"
    )
    slow = copies(estate)["s2"]
    assert slow["state"] == "copying"
    assert slow["left_bytes"] > 0

    estate.kill("s2")
    estate.start_stream("s2")
    estate.corral.ask("replication", "limit", "default")
    estate.wait_for(lambda: is_in_step(estate, "s2"), "the copy did not go on")
    client = estate.start_client("pc1-flow", _login(estate, ["s2"]))
    assert client.read_once(estate.root).verdicts == ("ok",)


def test_servers_of_a_site_share_its_line_and_finish(estate: Estate, tmp_path: Path) -> None:
    estate.add_server("s3")
    estate.start_stream("s3")
    estate.wait_for(lambda: estate.states()["s3"] == "online", "s3 did not start")
    estate.corral.ask("replication", "limit", "default", "--rate", "64K")
    publish(estate, tmp_path)
    for name in ("s2", "s3"):
        # So slow that neither is done before the other has heard of its share.
        estate.wait_for(partial(has_share, estate, name, 32 << 10), f"{name} got no share")
    assert {copies(estate)[name]["left_bytes"] > 0 for name in ("s2", "s3")} == {True}
    estate.corral.ask("replication", "limit", "default", "--rate", "1G")
    for name in ("s2", "s3"):
        estate.wait_for(partial(is_in_step, estate, name), f"the version did not flow to {name}")


def _login(estate: Estate, servers: list[str]) -> dict[str, Any]:
    mac = ("--mac", "52:54:00:00:00:01")
    added = estate.corral.ask("device", "add", "pc1", *mac, "--image", IMAGE)
    estate.key_file = Path(added["key_file"])
    return estate.login(servers)


def test_copy_too_many_goes_and_the_device_reads_on_from_the_other(
    estate: Estate, tmp_path: Path
) -> None:
    publish(estate, tmp_path)
    estate.wait_for(lambda: is_in_step(estate, "s2"), "the version did not flow")
    planned = estate.corral.ask("replication", "policy", "default", "1", "--dry-run")
    assert len(planned["goes"]) == 1
    assert set(copies(estate)) == {"s1", "s2"}
    estate.corral.ask("replication", "policy", "default", "1")
    estate.wait_for(lambda: len(copies(estate)) == 1, "no copy went")
    (kept,) = copies(estate)
    (gone,) = {"s1", "s2"} - {kept}
    assert copies(estate)[kept]["state"] == "in step"
    client = estate.start_client("pc1-kept", _login(estate, [kept]))
    assert client.read_once(estate.root).verdicts == ("ok",)

    # Wanted again, it comes again.
    estate.corral.ask("replication", "policy", "default", "2")
    estate.wait_for(lambda: is_in_step(estate, gone), "the copy did not come back")
