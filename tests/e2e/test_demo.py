"""The demonstration keeps the promises that it prints, with a guest in QEMU and without one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
CLIENT = Path(os.environ.get("CORRAL_TARGET", ROOT / "build" / "corral-target"))
CORRAL = Path(os.environ.get("CORRAL_CLI", Path(sys.executable).parent / "corral"))
ENDS_WITHIN_SECONDS = 1200
MIB = 2**20


def require(*, guest: bool) -> None:
    """Skip with the reason where something is missing; in CI, where it must not be, fail."""
    missing = [
        f"{path} ({how})"
        for path, how in ((CLIENT, "make target"), (CORRAL, "make native"))
        if not path.is_file()
    ]
    programs = ["qemu-system-x86_64", "busybox", "mmdebstrap"] if guest else ["qemu-img"]
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing += [name for name in [*programs, "mke2fs"] if shutil.which(name, path=path) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")


def demo(build: Path, *options: str) -> list[str]:
    """Give the command line of a demonstration that keeps to ``build``."""
    where = ["--build", str(build), "--client", str(CLIENT), "--corral", str(CORRAL)]
    return [sys.executable, "-m", "demo", *where, *options]


def make_disk(image: Path, *, noise_bytes: int, size_bytes: int) -> None:
    """Make a file system with a file of noise, which does not compress, and holes around it."""
    content = image.with_suffix(".content")
    content.mkdir()
    (content / "noise").write_bytes(os.urandom(noise_bytes))
    with image.open("wb") as file:
        file.truncate(size_bytes)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-d", content, image], check=True)


def told(build: Path, *options: str) -> dict[str, Any]:
    """Run a demonstration to its end; its result."""
    ended = subprocess.run(
        demo(build, *options),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    result: dict[str, Any] = json.loads((build / "demo-result.json").read_text())
    return result


def processes_that_mention(folder: Path) -> list[str]:
    """Give the command lines of the processes that have ``folder`` in them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if str(folder) in command:
            found.append(command)
    return found


def facts(result: dict[str, Any], step: str) -> dict[str, Any]:
    """Give the facts of a step."""
    (found,) = (one for one in result["steps"] if one["name"] == step)
    assert found["ok"]
    of_step: dict[str, Any] = found["facts"]
    return of_step


def hold_promises(result: dict[str, Any]) -> None:
    """Check what every demonstration must come to."""
    assert result["ok"]
    assert result["failed_step"] is None
    assert result["io_errors"] == 0
    assert result["version_before"] == 1
    assert result["version_after"] == 2
    assert result["longest_stall_ms"] is not None
    assert [step["name"] for step in result["steps"]] == [
        "golden image", "import", "farm", "boot", "failover", "version 2", "summary",
    ]  # fmt: skip
    for step in ("boot", "version 2"):
        # Every byte was read at the far end, and the root over all of them was the published one.
        assert facts(result, step)["first_pass_is_right"] is True
    size = facts(result, "import")["bytes"]
    assert facts(result, "boot")["first_pass_bytes"] == size
    assert facts(result, "failover")["killed_server"] in {"s1", "s2"}
    assert facts(result, "failover")["passes_after"] >= 2
    # The first replica was fetched over the network, compressed, and not copied by other means.
    assert 0 < facts(result, "farm")["fetched_bytes"] < size


def test_a_guest_without_a_disk_outlives_its_server_and_comes_up_on_the_next_version(
    tmp_path: Path,
) -> None:
    require(guest=True)
    result = told(tmp_path)
    hold_promises(result)
    assert result["guest"] is True
    first, second = facts(result, "boot"), facts(result, "version 2")
    assert (first["guest_version"], second["guest_version"]) == ("1", "2")
    assert second["guest_packages"] > first["guest_packages"]
    assert first["written_to_ram_bytes"] == MIB
    # A package was added to 384 MiB: little changed, and little more than that was stored and sent.
    assert 0 < second["changed_bytes"] < 32 * MIB
    assert 0 < second["stored_bytes"] < second["changed_bytes"]
    assert 0 < second["fetched_bytes"] < second["changed_bytes"]
    assert processes_that_mention(tmp_path) == []


def test_a_given_image_is_read_back_right_through_the_loss_of_a_server(tmp_path: Path) -> None:
    require(guest=False)
    image = tmp_path / "given.raw"
    make_disk(image, noise_bytes=24 * MIB, size_bytes=48 * MIB + 512)
    before = image.read_bytes()
    result = told(tmp_path / "build", "--no-guest", "--image", str(image))
    hold_promises(result)
    assert result["guest"] is False
    assert facts(result, "import")["zero_chunks"] > 200
    assert image.read_bytes() == before
    assert processes_that_mention(tmp_path) == []


def test_a_guest_verifies_an_image_that_holds_no_system_in_its_initramfs(tmp_path: Path) -> None:
    require(guest=True)
    image = tmp_path / "given.raw"
    make_disk(image, noise_bytes=8 * MIB, size_bytes=32 * MIB)
    result = told(tmp_path / "build", "--image", str(image))
    hold_promises(result)
    assert result["guest"] is True
    assert facts(result, "boot")["guest_version"] == "-"
    assert processes_that_mention(tmp_path) == []


def test_an_image_that_is_not_there_fails_the_first_step_and_says_so(tmp_path: Path) -> None:
    require(guest=False)
    missing = tmp_path / "missing.qcow2"
    ended = subprocess.run(
        demo(tmp_path, "--no-guest", "--image", str(missing)),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "golden image" in ended.stdout
    assert str(missing) in ended.stdout
    result = json.loads((tmp_path / "demo-result.json").read_text())
    assert (result["ok"], result["failed_step"]) == (False, "golden image")


def ended_in_its_fifth_step(folder: Path, how: signal.Signals) -> tuple[int, str]:
    """Send a signal to a demonstration when all its processes run; how it ended, and its words."""
    require(guest=False)
    image = folder / "given.raw"
    make_disk(image, noise_bytes=4 * MIB, size_bytes=16 * MIB)
    with subprocess.Popen(
        demo(folder / "build", "--no-guest", "--image", str(image)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "[5/7]" in line:
                assert len(processes_that_mention(folder)) >= 4
                process.send_signal(how)
                break
        said, _ = process.communicate(timeout=120)
    return process.returncode, said


def test_an_interrupt_ends_everything_that_was_started(tmp_path: Path) -> None:
    code, said = ended_in_its_fifth_step(tmp_path, signal.SIGINT)
    assert code == 130
    assert "interrupted" in said
    assert processes_that_mention(tmp_path) == []


def test_what_was_started_does_not_outlive_a_killed_demonstration(tmp_path: Path) -> None:
    code, _ = ended_in_its_fifth_step(tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    wait_until(lambda: processes_that_mention(tmp_path) == [], 60, "a process stayed")
