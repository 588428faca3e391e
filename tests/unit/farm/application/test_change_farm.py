"""The farm's name and where its API is reached."""

import pytest
from tests.farm_in_memory import FarmInMemory

from corral.farm.application.change_farm import FarmEdit
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import hosts_of_api
from corral.farm.domain.estate.farm import (
    MOST_API_URLS,
    ApiUrlInvalidError,
    ApiUrlsInvalidError,
    FarmChangedError,
    checked_api_urls,
    farm_name,
)

OLD = "http://127.0.0.1:10800"
NEW = checked_api_urls(["https://192.0.2.10:10800", "https://farm.example:10800"])


def test_servers_are_told_where_the_api_is_now(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    before = farm.application.configure_server(server.id)
    assert before.farm.api_urls == (OLD,)
    changed = farm.application.change_farm(FarmEdit(api_urls=NEW))
    after = farm.application.configure_server(server.id)
    assert after.farm.api_urls == NEW
    assert after.generation > before.generation
    assert (changed.former_api_urls, changed.revision) == ((OLD,), 2)


def test_the_apis_certificate_names_where_it_was_for_whoever_was_off(farm: FarmInMemory) -> None:
    farm.application.change_farm(FarmEdit(api_urls=NEW))
    moved = farm.application.change_farm(FarmEdit(api_urls=NEW[1:]))
    hosts = hosts_of_api(moved, Address("0.0.0.0", 10_800))  # noqa: S104 - the wildcard
    assert {"192.0.2.10", "farm.example", "127.0.0.1"} <= set(hosts)
    back = farm.application.change_farm(FarmEdit(api_urls=NEW))
    assert back.former_api_urls == (OLD,)


def test_where_it_was_is_not_remembered_without_end(farm: FarmInMemory) -> None:
    moved = farm.application.show_farm().farm
    for number in range(2 * MOST_API_URLS):
        urls = checked_api_urls([f"http://192.0.2.{number + 1}:10800"])
        moved = farm.application.change_farm(FarmEdit(api_urls=urls))
    assert len(moved.former_api_urls) == MOST_API_URLS
    assert moved.former_api_urls[0] == f"http://192.0.2.{2 * MOST_API_URLS - 1}:10800"


def test_a_new_name_alone_moves_nothing(farm: FarmInMemory) -> None:
    renamed = farm.application.change_farm(FarmEdit(name=farm_name("works")), 1)
    assert (renamed.name, renamed.api_urls, renamed.former_api_urls) == ("works", (OLD,), ())
    again = farm.application.change_farm(FarmEdit(name=farm_name("works")))
    assert again == renamed
    with pytest.raises(FarmChangedError, match="corral farm show"):
        farm.application.change_farm(FarmEdit(name=farm_name("other")), 1)


@pytest.mark.parametrize(
    "urls", [(), (OLD, f"{OLD}/"), [f"http://192.0.2.{n}" for n in range(1, MOST_API_URLS + 2)]]
)
def test_a_farm_is_somewhere_and_nowhere_twice(urls: list[str]) -> None:
    with pytest.raises(ApiUrlsInvalidError):
        checked_api_urls(urls)


def test_what_is_no_url_is_named() -> None:
    with pytest.raises(ApiUrlInvalidError, match=r"192\.0\.2\.1:"):
        checked_api_urls([OLD, "192.0.2.1:10800"])


def test_the_audit_log_tells_what_it_was(farm: FarmInMemory) -> None:
    farm.application.change_farm(FarmEdit(api_urls=NEW))
    (noted, *_) = farm.application.list_audit(AuditFilter(what="farm.change"))
    assert noted.entry.before is not None
    assert noted.entry.before["api_urls"] == [OLD]
