"""What many histories came to is kept in a file, and gone on with."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.upgrade.__main__ import main
from tests.simulation.upgrade.histories import outcomes


def play(monkeypatch: pytest.MonkeyPatch, into: Path, seed: int, count: int) -> int:
    said = ["upgrade", "--seed", str(seed), "--histories", str(count), "--into", str(into)]
    monkeypatch.setattr(sys, "argv", said)
    return main()


def test_what_was_played_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    into = tmp_path / "result.json"
    assert play(monkeypatch, into, 3, 2) == 0
    assert play(monkeypatch, into, 3, 5) == 0
    result = json.loads(into.read_text(encoding="utf-8"))
    assert result["histories"] == 5
    assert result["ends"] == Counter(state for _, state, _ in outcomes(range(3, 8)))
    assert result["broken"] == {}


def test_what_other_seeds_came_to_is_not_added_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "result.json"
    play(monkeypatch, into, 3, 1)
    with pytest.raises(SystemExit, match="name another file"):
        play(monkeypatch, into, 4, 1)
