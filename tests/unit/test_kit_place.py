"""A release that lies on a disk is started with what its kit brought."""

import os
import shutil
from pathlib import Path

import pytest

from corral.kit import place


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


def test_its_programs_are_found_behind_those_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "elsewhere")
    mine = program(tmp_path / "bin", "both")
    brought = program(tmp_path / "files", "corral-target")
    program(tmp_path / "files", "both")
    started = place.environment(tmp_path)
    assert started["PYTHONPATH"] == str(tmp_path / "site")
    assert "PYTHONPYCACHEPREFIX" not in started
    assert shutil.which("corral-target", path=started["PATH"]) == str(brought)
    assert shutil.which("both", path=started["PATH"]) == str(mine)
    assert place.environment(None) == dict(os.environ)
