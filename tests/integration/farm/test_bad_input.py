"""What cannot be right is refused by name, by the command line as anybody runs it."""

import threading

import pytest

from tests.integration.farm.command import CommandLine, Refusal
from tests.integration.farm.estate import IMAGE, Estate


def said(refusal: Refusal) -> tuple[int, str]:
    return refusal.exit_code, refusal.code


def test_subnets_that_overlap_are_refused_with_both_names(corral: CommandLine) -> None:
    corral.ask("site", "add", "basel", "--subnet", "192.0.2.0/24")
    refused = corral.refusal("site", "add", "bern", "--subnet", "192.0.2.64/26")
    assert said(refused) == (1, "subnets-overlap")
    assert "192.0.2.64/26" in refused.message
    assert "basel" in refused.message
    assert "bern" not in {site["name"] for site in corral.ask("site", "list")}


def test_a_network_card_belongs_to_one_device(corral: CommandLine) -> None:
    card = ("--mac", "52:54:00:00:00:01")
    corral.ask("device", "add", "pc1", *card)
    refused = corral.refusal("device", "add", "pc2", "--mac", "52-54-00-00-00-01")
    assert said(refused) == (1, "mac-taken")
    assert "pc1" in refused.message
    assert [one["name"] for one in corral.ask("device", "list")] == ["pc1"]


@pytest.mark.parametrize("rating", ["0.05", "1000.1", "nan"])
def test_a_power_rating_is_from_a_tenth_to_a_thousand(corral: CommandLine, rating: str) -> None:
    refused = corral.refusal("server", "change", "s1", "--power", rating)
    assert said(refused) == (1, "rating-out-of-range")
    assert "0.1 to 1000" in refused.message


def test_the_second_of_two_administrators_is_told_and_changes_nothing(corral: CommandLine) -> None:
    seen = corral.ask("server", "show", "s1")["revision"]
    both = [("--power", "2"), ("--description", "mine")]
    answers: list[int] = []

    def change(words: tuple[str, str]) -> None:
        done = corral.run("server", "change", "s1", *words, "--revision", str(seen))
        answers.append(done.returncode)

    administrators = [threading.Thread(target=change, args=(words,)) for words in both]
    for one in administrators:
        one.start()
    for one in administrators:
        one.join()
    # Exactly one of them, whoever it was.
    assert sorted(answers) == [0, 4]
    shown = corral.ask("server", "show", "s1")
    assert (shown["power_rating"] == 2) != (shown["description"] == "mine")
    late = corral.refusal("server", "change", "s1", "--power", "3", "--revision", str(seen))
    assert said(late) == (4, "server-changed")
    assert "server show s1" in late.message


def test_a_version_that_a_device_streams_is_not_deleted(estate: Estate) -> None:
    client = estate.start_client("pc1-in-use")
    reader = client.read_forever(estate.root, rate=1 << 20)
    reader.go_on_for(1)
    estate.wait_for(lambda: sum(estate.session_counts().values()) > 0, "no session is reported")
    refused = estate.corral.refusal("image", "delete", f"{IMAGE}/1", "--yes")
    assert said(refused) == (1, "version-streamed")
    assert "pc1" in refused.message
    reader.go_on_for(1)
    assert not reader.reading().errors
