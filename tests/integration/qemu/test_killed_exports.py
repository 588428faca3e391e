"""Exports that are killed leave no disk beside the one that they were to write."""

import signal
from pathlib import Path
from threading import Event

from tests.integration.farm.conftest import farm_at
from tests.integration.farm.disks import write_random_disk


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    corral = farm_at(tmp_path, tmp_path / "store")
    disk = write_random_disk(tmp_path / "disk.raw", 192 << 20)
    corral.ask("image", "import", "golden", str(disk))
    folder = tmp_path / "exports"
    folder.mkdir()
    with corral.started("image", "export", "golden/1", str(folder / "first.qcow2")) as process:
        # Looked for often: it is all done in less than a second.
        while process.poll() is None and not any(folder.glob("*/disk")):
            Event().wait(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    (left,) = folder.iterdir()
    assert (left / "disk").exists()
    second = folder / "second.raw"
    corral.ask("image", "export", "golden/1", str(second), "--format", "raw")
    assert list(folder.iterdir()) == [second]
    assert second.read_bytes() == disk.read_bytes()
