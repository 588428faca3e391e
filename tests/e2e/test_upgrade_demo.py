"""The demonstration of an upgrade keeps the promises that it prints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_demo import CLIENT, CORRAL, facts, processes_that_mention
from tests.postgresql import programs_or_skip

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ENDS_WITHIN_SECONDS = 1500
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def build() -> Iterator[Path]:
    """A folder with a short path, as sockets need one."""
    programs_or_skip()
    missing = [str(path) for path in (CLIENT, CORRAL) if not path.is_file()]
    programs = ("qemu-system-x86_64", "busybox", "ip", "nsenter", "unshare")
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing += [name for name in programs if shutil.which(name, path=path) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="cu-"))
    yield folder
    shutil.rmtree(folder)


def test_a_farm_is_upgraded_taken_back_and_upgraded_again_while_devices_read(build: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "demo.upgrade", "--build", str(build)),
            *("--client", str(CLIENT), "--corral", str(CORRAL)),
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    result: dict[str, Any] = json.loads((build / "upgrade-result.json").read_text())
    assert (result["ok"], result["failed_step"], result["io_errors"]) == (True, None, 0)
    assert (result["rolled_back"], result["finalised"]) == (True, True)
    assert [step["name"] for step in result["steps"]] == [
        "releases", "farm", "streams", "check", "fails", "roll-back", "upgrade", "finalise",
        "summary",
    ]  # fmt: skip
    is_root = os.geteuid() == 0
    assert (result["namespaces"], result["guest"]) == (is_root, is_root)
    assert result["devices"] == 30 + is_root
    # Each of them read its whole disk once before all of it, and once after.
    assert facts(result, "summary")["passes"] >= 4 * result["devices"]
    assert result["longest_stall_ms"] > 0
    assert len(result["machines_killed"]) == 2
    assert set(result["machines_killed"]) <= {"s1", "s2"}
    assert "s2" in facts(result, "fails")["because"]
    # What was in the way was found by the check and ended as it said.
    assert facts(result, "check")["was_in_the_way"] >= 2

    hold_steps(result["upgrade_steps"])

    picture = ET.fromstring((build / "upgrade-timeline.svg").read_text())  # noqa: S314 - ours
    labels = [text.text for text in picture.iter(f"{SVG}text")]
    assert {f"pc{number:02}" for number in range(1, 31)} <= set(labels)
    assert {"roll-back", "finalise", "drain s2", "switch s3 to 4.0", "contract"} <= set(labels)
    assert processes_that_mention(build) == []


def hold_steps(steps: list[dict[str, Any]]) -> None:
    """Check what the farm did in both upgrades."""
    first, second = (
        [(one["kind"], one["server"], one["release"]) for one in steps if one["upgrade"] == number]
        for number in (1, 2)
    )
    assert all(one["seconds"] >= 0 for one in steps)
    # The first server was switched and back; the second tried.
    assert ("switch", "s3", "5.0") in first
    assert ("switch", "s2", "5.0") in first
    assert ("switch", "s3", "4.0") in first
    assert ("switch", "s1", "5.0") not in first
    for server in ("s1", "s2", "s3", "office"):
        assert ("switch", server, "5.0") in second
    for server in ("s1", "s2", "s3"):
        kinds = [kind for kind, of, _ in second if of == server]
        # A drain may have been taken back while a machine was away.
        assert kinds.index("drain") < kinds.index("switch")
        assert kinds[-1] == "serve"
    assert [kind for kind, _, _ in second][-1] == "contract"
