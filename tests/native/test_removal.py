"""What a stream process removes, and what it never removes twice."""

import corral_native as native

from corral.farm.entrypoints.stream.removal import Remover
from tests.native.conftest import StoreWithDisk


def test_an_order_is_carried_out_once_and_a_later_one_again(filled: StoreWithDisk) -> None:
    remover = Remover(filled.store, lambda _: False)
    remover.want([filled.root], 3)
    assert remover.removed() == ()
    remover.work()
    assert (remover.removed(), filled.store.holds(filled.root)) == ((filled.root,), False)
    # Published again: the order that was carried out already must not take it away.
    filled.store.import_raw(filled.disk, native.Progress())
    remover.want([filled.root], 3)
    remover.work()
    assert filled.store.holds(filled.root)
    remover.want([filled.root], 4)
    assert remover.removed() == ()
    remover.work()
    assert not filled.store.holds(filled.root)


def test_what_is_still_being_fetched_is_removed_afterwards(filled: StoreWithDisk) -> None:
    busy = [True]
    remover = Remover(filled.store, lambda _: busy[0])
    remover.want([filled.root], 1)
    remover.work()
    assert (remover.removed(), filled.store.holds(filled.root)) == ((), True)
    busy[0] = False
    remover.work()
    assert remover.removed() == (filled.root,)


def test_what_is_not_there_is_gone(filled: StoreWithDisk) -> None:
    remover = Remover(filled.store, lambda _: False)
    remover.want(["ab" * 32], 1)
    remover.work()
    assert remover.removed() == ("ab" * 32,)
