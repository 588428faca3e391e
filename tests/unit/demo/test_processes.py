"""Programs are run, listened to, and ended whatever happens."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from demo.errors import MissingProgramError, ProgramFailedError, TooLateError
from demo.processes import Programs, Runner, complaint, wait_until

PYTHON = sys.executable


@dataclass
class Seen:
    """A watcher that remembers."""

    said: list[str] = field(default_factory=list)

    def doing(self, what: str) -> None:
        self.said.append(what)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path, Seen())


def test_gives_the_output_and_logs_command_output_and_errors(
    runner: Runner, tmp_path: Path
) -> None:
    script = "import sys; print('out'); print('err', file=sys.stderr)"
    assert runner.run("x", [PYTHON, "-c", script], what="running") == "out\n"
    log = (tmp_path / "x.log").read_text()
    assert log.startswith(f"$ {PYTHON}")
    assert "out" in log
    assert "err" in log


def test_keeps_a_secret_output_out_of_the_log(runner: Runner, tmp_path: Path) -> None:
    script = "import base64; print(base64.b64decode('c2VjcmV0').decode())"
    output = runner.run("x", [PYTHON, "-c", script], what="running", keeps_output=False)
    assert output == "secret\n"
    assert "secret" not in (tmp_path / "x.log").read_text()


def test_a_failure_says_which_program_and_why(runner: Runner) -> None:
    script = "import sys; print('error: full\\ncode: no-space', file=sys.stderr); sys.exit(4)"
    with pytest.raises(ProgramFailedError, match=r"exit code 4: full \(log: .*x\.log"):
        runner.run("x", [PYTHON, "-c", script], what="running")


def test_finds_the_complaint_of_a_program_that_speaks_json(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('$ corral\n{"code": "no-space", "message": "the disk is full"}\n')
    assert complaint(log) == "the disk is full"


def test_a_missing_program_is_named_with_its_package(runner: Runner) -> None:
    with pytest.raises(MissingProgramError, match="no-such-program"):
        runner.run("x", ["no-such-program"], what="running")


def test_ends_what_was_started_and_what_that_started(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    child = "import time; time.sleep(600)"
    parent = (
        "import subprocess, sys, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}]); print(1, flush=True); p.wait()"
    )
    program = programs.start("x", [PYTHON, "-c", parent])
    wait_until(lambda: len((tmp_path / "x.log").read_text().split()) > 3, 30, "no child")
    programs.stop_all()
    assert not program.is_running()


def test_says_what_a_program_complained_of_before_it_ended_by_itself(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    program = programs.start("x", [PYTHON, "-c", "import sys; sys.exit('error: no port')"])
    wait_until(lambda: not program.is_running(), 30, "it did not end")
    with pytest.raises(ProgramFailedError, match="`x` ended with exit code 1: no port"):
        programs.expect_running(program)


def test_does_not_wait_for_ever() -> None:
    with pytest.raises(TooLateError, match="nothing came within 0 s"):
        wait_until(lambda: False, 0, "nothing came")
