"""The API moves, and the servers that run go with it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.processes import free_port

from tests.integration.farm.estate import Estate


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    """A farm of one server."""
    estate = Estate.at(tmp_path)
    try:
        estate.corral.ask("farm", "create", "test", "--api", estate.api_url)
        estate.add_server("s1")
        estate.bring_up()
        yield estate
    finally:
        estate.end()


def kept_urls(estate: Estate) -> list[str]:
    """Where a stream process would look for the farm if it started now."""
    return list(json.loads(estate.servers["s1"].kept_configuration.read_text())["api_urls"])


def expect(estate: Estate, state: str) -> None:
    estate.wait_for(lambda: estate.states() == {"s1": state}, f"s1 did not become {state}")


def test_a_server_goes_where_the_api_is_now_and_finds_it_there_again(estate: Estate) -> None:
    old = estate.api_url
    estate.api_port = free_port()
    estate.start_api("api-2")
    estate.corral.ask("farm", "change", "--api-url", estate.api_url)
    estate.wait_for(lambda: kept_urls(estate) == [estate.api_url, old], "the URL was not learned")
    estate.kill("api")
    estate.kill("s1")
    expect(estate, "unknown")
    # The URL in its file leads nowhere any more.
    estate.start_stream("s1")
    expect(estate, "online")
    assert json.loads(estate.servers["s1"].file.read_text())["api_urls"] == [old]


def test_a_url_at_which_nobody_answers_can_be_taken_back(estate: Estate) -> None:
    right, wrong = estate.api_url, f"http://127.0.0.1:{free_port()}"
    estate.corral.ask("farm", "change", "--api-url", wrong)
    estate.wait_for(lambda: kept_urls(estate) == [wrong, right], "the URL was not learned")
    estate.corral.ask("farm", "change", "--api-url", right)
    estate.wait_for(lambda: kept_urls(estate) == [right], "the farm was heard no more")
    expect(estate, "online")


def test_a_server_that_was_off_meanwhile_asks_where_its_file_says(estate: Estate) -> None:
    estate.kill("s1")
    estate.servers["s1"].kept_configuration.unlink()
    right, wrong = estate.api_url, f"http://127.0.0.1:{free_port()}"
    estate.corral.ask("farm", "change", "--api-url", wrong)
    expect(estate, "unknown")
    estate.start_stream("s1")
    expect(estate, "online")
    assert kept_urls(estate) == [wrong, right]
