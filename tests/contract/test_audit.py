from collections.abc import Callable

import pytest
from sqlalchemy import text

from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.ports.records import Transactions
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.audit import AuditFilter, Entry
from tests.contract.things import NOW, later

ADA = Actor(ActorKind.ACCOUNT, "ada", "192.0.2.1")
BOB = Actor(ActorKind.FOLDER, "bob", "host")

ENTRIES = (
    Entry(NOW, BOB, "server.add", "s1", None, {"name": "s1", "listen": ["127.0.0.1:1"]}),
    Entry(later(1), ADA, "server.change", "s1", {"draining": False}, {"draining": True}),
    Entry(later(2), ADA, "serverless.change", "x_y", {"a": 1.5}, {"a": None}),
    Entry(later(3), BOB, "server.remove", "été ✓", {"nested": {"a": [1, True]}}, None),
    Entry(later(4), ADA, "account.sign-in", "ada"),
)


def note_all(transactions: Transactions) -> None:
    for entry in ENTRIES:
        with transactions.writing() as records:
            records.audit.note(entry)


def told(
    transactions: Transactions,
    wanted: AuditFilter = AuditFilter(),  # noqa: B008 - frozen
    limit: int = 100,
    before: int | None = None,
) -> list[Entry]:
    with transactions.reading() as records:
        return [one.entry for one in records.audit.newest(wanted, limit, before)]


def test_entries_come_back_as_they_were_noted_newest_first(transactions: Transactions) -> None:
    note_all(transactions)
    assert told(transactions) == list(reversed(ENTRIES))


def test_pages_follow_each_other_without_gap_or_double(transactions: Transactions) -> None:
    note_all(transactions)
    seen: list[Entry] = []
    before = None
    while True:
        with transactions.reading() as records:
            page = records.audit.newest(AuditFilter(), 2, before)
        if not page:
            break
        seen += [one.entry for one in page]
        before = page[-1].number
    assert seen == list(reversed(ENTRIES))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AuditFilter(since=later(2)), {2, 3, 4}),
        (AuditFilter(until=later(2)), {0, 1}),
        (AuditFilter(kind=ActorKind.FOLDER), {0, 3}),
        (AuditFilter(name="ada"), {1, 2, 4}),
        (AuditFilter(where="host"), {0, 3}),
        (AuditFilter(what="server"), {0, 1, 3}),
        (AuditFilter(what="server.add"), {0}),
        (AuditFilter(what="server.a"), set()),
        (AuditFilter(thing="été ✓"), {3}),
        (AuditFilter(thing="s1", name="ada"), {1}),
    ],
)
def test_filters(transactions: Transactions, wanted: AuditFilter, expected: set[int]) -> None:
    note_all(transactions)
    assert {ENTRIES.index(entry) for entry in told(transactions, wanted)} == expected


def test_an_entry_is_kept_only_with_its_change(transactions: Transactions) -> None:
    def fail() -> None:
        with transactions.writing() as records:
            records.audit.note(ENTRIES[0])
            message = "the change failed"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        fail()
    assert told(transactions) == []


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET thing = 'another'", "DELETE FROM audit"],
    ids=["update", "delete"],
)
def test_the_database_itself_refuses_to_change_an_entry(database_url: str, statement: str) -> None:
    transactions = SqlTransactions(database_url)
    transactions.set_up()
    note_all(transactions)
    engine = open_engine(database_url)

    def change() -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    refused(change)
    assert told(transactions) == list(reversed(ENTRIES))
    engine.dispose()
    transactions.close()


def refused(change: Callable[[], None]) -> None:
    with pytest.raises(Exception, match="only ever added to"):
        change()
