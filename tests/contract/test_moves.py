"""Moves of devices, and the rules of balance."""

from dataclasses import replace
from datetime import timedelta

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.delivery.move import OrderedMove, Outcome
from corral.farm.domain.delivery.rebalance import BalanceChangedError, BalanceRules
from tests.contract.things import NOW, device, later, server

PC1, PC2, PC3 = device("pc1", 1), device("pc2", 2), device("pc3", 3)
S1, S2 = server("s1", 1), server("s2", 2)


def test_the_last_move_of_a_device_is_kept(transactions: Transactions) -> None:
    first = OrderedMove(PC1.id, S1.id, S2.id, "s1 had 5.0 devices", later(2))
    second = replace(first, device_id=PC2.id, ordered_at=NOW, asked_at=later(1))
    third = replace(second, device_id=PC3.id).ended(Outcome.ELSEWHERE, later(9))
    with transactions.writing() as records:
        records.moves.put(replace(first, why="before"))
        for move in (first, second, third):
            records.moves.put(move)
    with transactions.reading() as records:
        assert records.moves.find(PC1.id) == first
        assert records.moves.find(PC3.id) == third
        assert records.moves.find(device("pc9", 9).id) is None
        assert records.moves.in_progress() == [second, first]
        assert records.moves.of_time_since(later(9)) == [third]
        assert records.moves.of_time_since(later(10)) == []


def test_the_usual_rules_hold_until_somebody_sets_others(transactions: Transactions) -> None:
    others = BalanceRules(
        is_automatic=False,
        every=timedelta(minutes=90),
        over_percent=40,
        least_devices=7,
        booting_percent=0,
    )
    with transactions.writing() as records:
        assert records.balance.get() == BalanceRules()
        assert records.balance.last_round_at() is None
        records.balance.note_round(NOW)
        assert records.balance.get() == BalanceRules()
        records.balance.change(BalanceRules(), others)
        others = replace(others, revision=2)
    with transactions.reading() as records:
        assert records.balance.get() == others
        assert records.balance.last_round_at() == NOW
    with transactions.writing() as records:
        records.balance.note_round(later(5))
        assert records.balance.last_round_at() == later(5)
        assert records.balance.get() == others


def test_of_two_who_change_the_rules_the_second_is_told(transactions: Transactions) -> None:
    seen = BalanceRules()
    with transactions.writing() as records:
        records.balance.change(seen, replace(seen, over_percent=40))
        with pytest.raises(BalanceChangedError):
            records.balance.change(seen, replace(seen, over_percent=50))
        records.balance.change(records.balance.get(), replace(seen, over_percent=60))
    with transactions.reading() as records:
        assert records.balance.get() == replace(seen, over_percent=60, revision=3)
