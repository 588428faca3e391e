"""What the tutorial tells people to type works, and shows them what it says.

Every line of a ``console`` block that begins with ``$`` is typed into one shell, in their order.
What the block shows below it must be what came, where ``…`` stands for anything.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from demo.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-farm.md"
BEGINS_AT = "## Now by hand"
CLIENT = Path(os.environ.get("CORRAL_TARGET", ROOT / "build" / "corral-target"))
CORRAL = Path(os.environ.get("CORRAL_CLI", Path(sys.executable).parent / "corral"))
PROGRAMS = ("/sbin/mke2fs", "/sbin/debugfs", "qemu-img")
PORTS = ("10800", "10811", "10812", "10901", "10902")
ENDS_WITHIN_SECONDS = 120
MARK = "@@@"


@dataclass
class Step:
    """A command, and what the page shows below it."""

    command: str
    shown: list[str] = field(default_factory=list)

    def pattern(self) -> str:
        """Give a regular expression for what was shown, blanks and rules of any width."""
        return "".join(_line_pattern(line) for line in self.shown if line.strip())


def _line_pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    words = re.sub(r"─+", "─", line).split()
    escaped = r"\s+".join(re.escape(word) for word in words)
    return escaped.replace("…", ".*").replace("─", "─+") + r"\s*\n"


def steps(page: str) -> Iterator[Step]:
    """Give what is typed in the console blocks of a page."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        step: Step | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if step is not None:
                    yield step
                step = Step(line.removeprefix("$ "))
            elif step is None:
                pytest.fail(f"a console block begins with {line!r}, which nobody typed")
            elif line.startswith("> "):
                step.command += "\n" + line.removeprefix("> ")
            else:
                step.shown.append(line)
        if step is not None:
            yield step


def with_free_ports(page: str) -> str:
    """Give the page with ports that nobody uses here."""
    ports = {port: str(free_port()) for port in PORTS}
    return re.sub("|".join(PORTS), lambda found: ports[found[0]], page)


def typed(script: list[Step], home: Path) -> list[str]:
    """Type all of it into a shell until something fails; what each step printed."""
    text = "".join(
        f"{step.command}\nstatus=$?; echo {MARK}; [ $status = 0 ] || exit $status\n"
        for step in script
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CORRAL_")},
        "HOME": str(home),
        "PATH": f"{CORRAL.parent}:{CLIENT.parent}:{os.environ['PATH']}",
    }
    shell = subprocess.Popen(
        ["bash", "-c", text],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that its children can be ended with it
    )
    try:
        said, _ = shell.communicate(timeout=ENDS_WITHIN_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    outputs = said.split(f"{MARK}\n")
    assert shell.returncode == 0, f"{script[len(outputs) - 2].command}\n{outputs[-2]}"
    return outputs[:-1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = (CLIENT.is_file(), CORRAL.is_file(), *(shutil.which(name) for name in PROGRAMS))
    if not all(found):
        reason = f"{CLIENT} (make target), {CORRAL} (make native) and {PROGRAMS} are needed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return tmp_path


def test_the_farm_by_hand_comes_about_as_the_tutorial_says(home: Path) -> None:
    page = PAGE.read_text(encoding="utf-8").split(BEGINS_AT)[1]
    script = list(steps(with_free_ports(page)))
    outputs = typed(script, home)
    for step, output in zip(script, outputs, strict=True):
        if step.shown:
            came = "".join(f"{line.strip()}\n" for line in output.splitlines() if line.strip())
            assert re.fullmatch(step.pattern(), came), f"$ {step.command}\n{output}"
    published = re.findall(r"^root +([0-9a-f]{64})$", "".join(outputs), re.MULTILINE)
    first, second = published
    verified = re.findall(r"^verify .*found=([0-9a-f]{64})", "".join(outputs), re.MULTILINE)
    assert verified == [first, first, first, second], "the device streams what was published"
    assert not (home / "first-farm").exists()
