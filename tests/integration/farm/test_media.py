"""``corral media``: from the folders of servers that are here, and from those that answer."""

import json
from pathlib import Path

from demo.processes import Programs, free_port, wait_until

from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.farm.disks import write_random_disk

MIB = 1 << 20
SECONDS = 60.0


def versions_on(corral: CommandLine, folder: Path) -> list[str]:
    return [one["version"] for one in corral.ask("media", "list", str(folder))["versions"]]


def test_a_medium_is_filled_from_a_folder(corral: CommandLine, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    disk = write_random_disk(tmp_path / "disk.raw", 8 * MIB)
    corral.ask("image", "import", "golden", str(disk))
    assert corral.refusal("media", "list", str(stick)).code == "medium-empty"
    assert corral.refusal("media", "seed", str(stick)).code == "usage"
    assert corral.refusal("media", "seed", str(tmp_path / "no"), "golden").code == "usage"
    assert corral.refusal("media", "seed", str(stick), "golden/7").code == "version-unknown"
    assert list(stick.iterdir()) == []
    said = corral.ask("media", "seed", str(stick), "golden")
    assert [one["version"] for one in said["versions"]] == ["golden/1"]
    assert versions_on(corral, stick) == ["golden/1"]


def test_a_medium_is_filled_over_the_network_and_goes_on_where_it_was(
    corral: CommandLine, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    listen, chunks = (f"127.0.0.1:{free_port()}" for _ in range(2))
    store = tmp_path / "s2"
    corral.ask(
        *("server", "add", "s2", "--store", str(store), "--listen", listen, "--chunks", chunks)
    )
    disk = write_random_disk(tmp_path / "disk.raw", 8 * MIB)
    corral.ask("image", "import", "golden", str(disk), "--server", "s2")
    # Its folder is where this machine does not find it.
    elsewhere = store.rename(tmp_path / "elsewhere")
    file = corral.farm / "servers" / "s2.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "store": str(elsewhere)}))
    refusal = corral.refusal("media", "seed", str(stick), "golden/1")
    assert refusal.code == "store-unreachable"
    assert versions_on(corral, stick) == []
    programs = Programs(tmp_path)
    programs.start("s2", [CORRAL, "serve", "stream", "--config", str(file)])
    try:
        wait_until(
            lambda: corral.run("media", "seed", str(stick), "golden/1").returncode == 0,
            SECONDS,
            "the medium was not filled",
        )
    finally:
        programs.stop_all()
    assert versions_on(corral, stick) == ["golden/1"]
