"""Store folders that are not this farm's, or not this release's."""

import json
from pathlib import Path

from tests.integration.farm.command import CommandLine, Refusal
from tests.integration.farm.conftest import farm_at, server_options
from tests.integration.farm.disks import write_random_disk


def other_farm(tmp_path: Path) -> CommandLine:
    home = tmp_path / "other"
    home.mkdir()
    return farm_at(home, home / "store")


def stream_refusal(corral: CommandLine, file: Path) -> Refusal:
    return corral.refusal("serve", "stream", "--config", str(file))


def test_a_store_of_another_farm_is_refused(corral: CommandLine, tmp_path: Path) -> None:
    other_farm(tmp_path)
    theirs = tmp_path / "other" / "store"
    before = (theirs / "store.json").read_bytes()
    added = corral.refusal("server", "add", "s2", *server_options(theirs))
    assert (added.exit_code, added.code) == (1, "store-other-farm")

    file = tmp_path / "farm" / "servers" / "s1.json"
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "store": str(theirs)}))
    served = stream_refusal(corral, file)
    assert (served.exit_code, served.code) == (1, "store-other-farm")
    assert (theirs / "store.json").read_bytes() == before
    assert [one["name"] for one in corral.ask("server", "list")] == ["s1"]


def test_a_store_of_a_newer_format_is_refused_and_left_alone(
    corral: CommandLine, tmp_path: Path
) -> None:
    other_farm(tmp_path)
    mine, free = tmp_path / "store", tmp_path / "other" / "store"
    newer = {store: make_newer(store / "store.json") for store in (mine, free)}
    disk = write_random_disk(tmp_path / "disk.raw", 1 << 20)
    refusals = [
        corral.refusal("store", "verify", "s1"),
        corral.refusal("image", "import", "golden", str(disk)),
        corral.refusal("server", "add", "s2", *server_options(free)),
        stream_refusal(corral, tmp_path / "farm" / "servers" / "s1.json"),
    ]
    assert [(one.exit_code, one.code) for one in refusals] == [(6, "store-newer")] * 4
    for store, content in newer.items():
        assert (store / "store.json").read_text() == content


def make_newer(file: Path) -> str:
    content = json.dumps({**json.loads(file.read_bytes()), "format": 2})
    file.write_text(content)
    return content
