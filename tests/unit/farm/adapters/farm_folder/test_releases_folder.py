"""What supervisor and services tell each other, and which services there are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from corral.farm.adapters.farm_folder.releases_folder import ReleasesFolder, Word
from corral.farm.adapters.farm_folder.services_file import read_services
from corral.farm.domain.supervision.errors import ReleasesUnusableError, ServicesInvalidError
from corral.farm.domain.supervision.record import Problem, Supervision, SwitchOrder
from corral.farm.domain.supervision.service import Service
from corral.farm.domain.supervision.stage import Stage

RICH: Final = Supervision(
    active="1.0",
    previous="0.9",
    stage=Stage.STOPPING,
    coming="2.0",
    order=3,
    taken=4,
    by_hand="mark",
    tries=2,
    problem=Problem(3, "release-not-proven", "é"),
)
SERVICES: Final = """\
format = 1

[[service]]
name = "stream"
words = ["serve", "stream", "--config", "/etc/s1.json"]
stops = 3

[[service]]
name = "api"
words = ["serve", "api"]
"""


@pytest.mark.parametrize("state", [RICH, Supervision("1.0")])
def test_a_record_is_read_back_as_it_was_kept(tmp_path: Path, state: Supervision) -> None:
    folder = ReleasesFolder(tmp_path)
    assert folder.load() is None
    folder.keep(state)
    assert folder.load() == state


def test_what_a_later_release_wrote_beside_it_stays(tmp_path: Path) -> None:
    """A supervisor may be years older than the releases that it starts."""
    folder = ReleasesFolder(tmp_path)
    folder.keep(RICH)
    file = tmp_path / "state.json"
    document = json.loads(file.read_text())
    document["mood"] = document["releases"]["mood"] = "good"
    file.write_text(json.dumps(document))
    folder.keep(replace(RICH, tries=3))
    document = json.loads(file.read_text())
    assert (document["mood"], document["releases"]["mood"]) == ("good", "good")
    assert folder.load() == replace(RICH, tries=3)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"releases": {"active": "1.0"}}'])
def test_a_record_that_cannot_be_read_is_set_aside(tmp_path: Path, text: str) -> None:
    folder = ReleasesFolder(tmp_path)
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ReleasesUnusableError, match=r"state\.json"):
        folder.load()
    folder.set_aside()
    assert folder.load() is None
    assert (tmp_path / "state.unreadable").read_text() == text


def test_orders_are_heard_and_what_cannot_be_read_is_not(tmp_path: Path) -> None:
    folder = ReleasesFolder(tmp_path)
    assert folder.orders() == []
    order, by_hand = SwitchOrder(4, "2.0", "1.0"), SwitchOrder(4, "1.0", "2.0", "mark")
    folder.tell(order)
    folder.tell(by_hand)
    assert folder.orders() == [by_hand, order]
    folder.forget_hand()
    folder.forget_hand()
    assert folder.orders() == [order]
    folder.tell(by_hand)
    (tmp_path / "order.json").write_text("{")
    assert folder.orders() == [by_hand]
    (tmp_path / "hand.json").write_text('{"number": "x"}')
    assert folder.orders() == []


def test_a_word_is_read_back(tmp_path: Path) -> None:
    folder = ReleasesFolder(tmp_path)
    assert folder.word() is None
    folder.say(Word("1.2", "it failed"))
    assert folder.word() == Word("1.2", "it failed")
    (tmp_path / "word.json").write_text("no")
    assert folder.word() is None


def test_services_are_named_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "services.toml"
    path.write_text(SERVICES)
    assert read_services(path) == (
        Service("stream", ("serve", "stream", "--config", "/etc/s1.json"), 3),
        Service("api", ("serve", "api"), 0),
    )


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        ("format = 1", "", "format = 1"),
        ("format = 1", "format = 2", "format = 1"),
        ("format = 1", "format = 1\ncolour = 'red'", "'colour' means nothing"),
        ("stops = 3", "stop = 3", "'stop' means nothing"),
        ("stops = 3", "stops = -1", "whole number"),
        ("stops = 3", "stops = true", "whole number"),
        ('"stream"\nwords', '"a b"\nwords', "services.toml"),
        ('"serve", "api"', '"image", "list"', "begin with"),
        ('"serve", "api"', '"serve", "supervisor"', "begin with"),
        ('"serve", "api"', '"serve", "api", 5', "begin with"),
        ('"serve", "api"', '"serve", "stream"', "two stream processes"),
        ('name = "api"', 'name = "stream"', "twice"),
        ("[[service]]", "[service]", "TOML"),
    ],
)
def test_what_is_not_understood_is_refused(
    tmp_path: Path, before: str, after: str, match: str
) -> None:
    assert before in SERVICES
    path = tmp_path / "services.toml"
    path.write_text(SERVICES.replace(before, after, 1))
    with pytest.raises(ServicesInvalidError, match=match):
        read_services(path)


@pytest.mark.parametrize("text", ["format = 1", "format = 1\nservice = 1", "\xff"])
def test_a_file_without_services_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "services.toml"
    with pytest.raises(ServicesInvalidError, match="no such file"):
        read_services(path)
    path.write_text(text, "latin-1")
    with pytest.raises(ServicesInvalidError):
        read_services(path)
