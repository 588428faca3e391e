"""The stories are as told; ``python -m tests.simulation.upgrade.stories`` tells them anew."""

import pytest

from tests.simulation.upgrade.stories import FOLDER, STORIES


@pytest.mark.parametrize("name", STORIES)
def test_the_story_is_as_it_was_told(name: str) -> None:
    assert STORIES[name]() == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_every_story_is_told() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(STORIES)
