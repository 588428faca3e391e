"""What two processes do at once; each thread has connections of its own, as a process would."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.contract.things import FARM, image, site, version

from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.site import SiteChangedError
from corral.farm.domain.image.errors import VersionChangedError


def at_once(*works: Callable[[], None]) -> list[DomainError]:
    """Run all at once; give the errors of the domain."""
    errors: list[DomainError] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        gate.wait()
        try:
            work()
        except DomainError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_of_many_who_publish_the_same_number_one_does(database_url: str) -> None:
    debian = image("debian", 1)
    first = SqlTransactions(database_url)
    first.set_up()
    with first.writing() as records:
        records.images.add(debian)

    def publish() -> None:
        mine = SqlTransactions(database_url)
        try:
            with mine.writing() as records:
                records.versions.publish(version(debian, 1, 1))
        finally:
            mine.close()

    errors = at_once(*[publish] * 8)
    assert [type(error) for error in errors] == [VersionChangedError] * 7
    with first.reading() as records:
        assert len(records.versions.all()) == 1
    first.close()


def test_no_rise_of_the_generation_is_lost(database_url: str) -> None:
    first = SqlTransactions(database_url)
    first.set_up()
    with first.writing() as records:
        records.farm.set_up(FARM)

    def raise_it() -> None:
        mine = SqlTransactions(database_url)
        for _ in range(10):
            with mine.writing() as records:
                seen = records.farm.get().generation
                records.farm.raise_generation()
                assert records.farm.get().generation == seen + 1
        mine.close()

    assert at_once(*[raise_it] * 4) == []
    with first.reading() as records:
        assert records.farm.get().generation == 41
    first.close()


def test_of_many_who_change_what_they_saw_one_does(database_url: str) -> None:
    seen = site("basel", 1)
    first = SqlTransactions(database_url)
    first.set_up()
    with first.writing() as records:
        records.sites.add(seen)

    def change() -> None:
        mine = SqlTransactions(database_url)
        try:
            with mine.writing() as records:
                records.sites.change(seen, replace(seen, description="mine"))
        finally:
            mine.close()

    assert [type(error) for error in at_once(*[change] * 8)] == [SiteChangedError] * 7
    with first.reading() as records:
        assert records.sites.get(seen.name).revision == 2
    first.close()


@pytest.mark.parametrize("openers", [2, 6])
def test_many_may_open_a_new_database_at_once(database_url: str, openers: int) -> None:
    def set_up() -> None:
        mine = SqlTransactions(database_url)
        mine.set_up()
        mine.close()

    assert at_once(*[set_up] * openers) == []
