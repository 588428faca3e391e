"""Space is freed beside devices that stream and imports that run, and nothing is lost."""

import json
import operator
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.farm.disks import bytes_under, write_random_disk
from tests.integration.farm.estate import Estate
from tests.integration.farm.test_imports import stopped_import

MIB = 1 << 20


@contextmanager
def collecting(corral: CommandLine) -> Iterator[subprocess.Popen[str]]:
    """A collection of the store of ``s1`` as a person starts it."""
    process = subprocess.Popen(
        [CORRAL, "store", "collect", "s1"],
        env=corral.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_line(lines: IO[str], text: str) -> None:
    """Read until a line has this text; one comes every two seconds."""
    seen = []
    for line in lines:
        seen.append(line)
        if text in line:
            return
    raise AssertionError("".join(seen))


def join(path: Path, *parts: Path) -> Path:
    with path.open("wb") as file:
        for part in parts:
            file.write(part.read_bytes())
    return path


def test_a_collection_waits_for_an_import_and_takes_nothing_that_it_or_a_device_needs(
    estate: Estate, tmp_path: Path
) -> None:
    corral, store = estate.corral, estate.servers["s1"].store
    reader = estate.start_client("pc1-collected", estate.login(["s1"])).read_forever(estate.root)
    shared = write_random_disk(tmp_path / "shared.raw", 24 * MIB)
    alone = write_random_disk(tmp_path / "alone.raw", 24 * MIB)
    new = write_random_disk(tmp_path / "new.raw", 24 * MIB)
    first = join(tmp_path / "first.raw", shared, alone)
    corral.ask("image", "import", "spare", str(first), "--server", "s1")
    small = write_random_disk(tmp_path / "small.raw", MIB)
    corral.ask("image", "import", "spare", str(small), "--server", "s1")
    reader.go_on_for(1)
    # All chunks of the first version are dead now. An import that began before finds half of them.
    corral.ask("image", "delete", "spare/1", "--yes")
    planned = corral.ask("store", "collect", "s1", "--dry-run")
    assert planned["freed_bytes"] > 45 * MIB
    again = join(tmp_path / "golden.raw", shared, new)
    with (
        stopped_import(corral, again, store, MIB, "found") as importing,
        collecting(corral) as collection,
    ):
        assert collection.stderr is not None
        wait_for_line(collection.stderr, "waiting until 1 others have written")
        reader.go_on_for(1)
        importing.send_signal(signal.SIGCONT)
        published, errors = importing.communicate(timeout=60)
        assert importing.returncode == 0, errors
        said, errors = collection.communicate(timeout=60)
        assert collection.returncode == 0, errors
    assert "freed: " in said
    assert json.loads(published)["new_chunks"] == 24 * 16
    assert corral.ask("store", "verify", "s1")["sound"]
    assert corral.ask("image", "verify", "found/1", "--server", "s1")["sound"]
    reader.go_on_for(1)
    # What it had to leave for the import is looked at again: the half that nobody has goes.
    corral.ask("store", "collect", "s1")
    assert corral.ask("store", "collect", "s1", "--dry-run")["dead_bytes"] == 0
    before = bytes_under(store / "packs")
    corral.ask("image", "import", "found", str(small), "--server", "s1")
    corral.ask("image", "delete", "found/1", "--yes")
    freed = corral.ask("store", "collect", "s1")["freed_bytes"]
    assert freed > 45 * MIB
    assert bytes_under(store / "packs") < before - 45 * MIB
    assert corral.ask("store", "verify", "s1")["sound"]
    reader.go_on_for(1)


def test_a_collection_killed_at_any_moment_leaves_all_versions_whole(
    corral: CommandLine, tmp_path: Path
) -> None:
    packs = tmp_path / "store" / "packs"
    for number in range(3):
        common = write_random_disk(tmp_path / "common.raw", 2 * MIB)
        rest = write_random_disk(tmp_path / "rest.raw", 6 * MIB)
        image = f"image-{number}"
        corral.ask("image", "import", image, str(join(tmp_path / "both.raw", common, rest)))
        corral.ask("image", "import", image, str(common))
        corral.ask("image", "delete", f"{image}/1", "--yes")
    # With new packs there and the old ones too; in the midst of removing those.
    for has_come in (operator.gt, operator.lt):
        whole = len(list(packs.iterdir()))
        with collecting(corral) as process:
            while process.poll() is None and not has_come(len(list(packs.iterdir())), whole):
                pass
            process.kill()
            process.wait()
        assert corral.ask("store", "verify", "s1")["sound"]
    corral.ask("store", "collect", "s1")
    assert corral.ask("store", "collect", "s1", "--dry-run")["dead_bytes"] == 0
    assert bytes_under(packs) < 3 * 3 * MIB
    for number in range(3):
        assert corral.ask("image", "verify", f"image-{number}/2")["sound"]
