"""The demonstration of computers that leave the network keeps the promises that it prints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from demo.bootable_disk import missing

from tests.e2e.test_demo import facts, processes_that_mention

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ENDS_WITHIN_SECONDS = 1200
MIB = 2**20


@pytest.fixture
def build() -> Iterator[Path]:
    """A folder with a short path, as sockets need one."""
    lacking = missing()
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(lacking)}")
    if lacking:
        pytest.skip(f"missing: {', '.join(lacking)}")
    folder = Path(tempfile.mkdtemp(prefix="co-"))
    yield folder
    shutil.rmtree(folder)


def test_computers_go_on_alone_and_what_is_broken_goes_back(build: Path) -> None:
    """S10-S12, S54, S58, S61, S65-S67, as a person is shown them."""
    ended = subprocess.run(
        [sys.executable, "-m", "demo.offline", "--build", str(build)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    result: dict[str, Any] = json.loads((build / "offline-result.json").read_text())
    assert (result["ok"], result["failed_step"]) == (True, None)
    assert [step["name"] for step in result["steps"]] == [
        "images", "farm", "start", "cut", "one user", "all users", "broken", "summary",
    ]  # fmt: skip
    size = facts(result, "images")["bytes"]
    start = facts(result, "start")
    for computer in ("laptop", "desk"):
        # Its guest was up before a quarter of what nobody reads had come.
        assert 16 * MIB < start[f"missing_bytes_{computer}"] < size
    # Once for each computer: what its guest had read did not come a second time.
    stored = facts(result, "farm")["stored_bytes"]
    came = start["came_to_computers_bytes"] + start["came_to_office_bytes"]
    assert 2 * stored < came < 2.25 * stored
    cut = facts(result, "cut")
    assert cut["came_to_computers_bytes"] < MIB
    # Only what is new went over each line, once to the office, and once to each computer.
    for step in ("one user", "all users", "broken"):
        assert facts(result, step)["came_to_computers_bytes"] < 12 * MIB
    assert facts(result, "one user")["came_to_office_bytes"] > 3 * MIB
    assert facts(result, "all users")["came_to_office_bytes"] < MIB
    assert facts(result, "broken")["code"] == "not-healthy"
    assert processes_that_mention(build) == []
