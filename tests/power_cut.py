"""Ports that lose their power between any two steps of a verb."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from corral.farm.application.ports.records import Records, Transactions


class PowerCutError(BaseException):
    """The process is gone; no handler of errors gets to see it."""


@dataclass
class Fuse:
    """Burns through after so many steps; none lasts for ever."""

    steps: int | None = None

    def step(self) -> None:
        if self.steps is None:
            return
        if self.steps == 0:
            self.steps = None
            raise PowerCutError
        self.steps -= 1


class CutTransactions:
    """Transactions that end before they begin, before they are kept, or just after."""

    def __init__(self, transactions: Transactions, fuse: Fuse) -> None:
        self._transactions = transactions
        self._fuse = fuse

    def set_up(self) -> None:
        self._transactions.set_up()

    @contextmanager
    def reading(self) -> Iterator[Records]:
        self._fuse.step()
        with self._transactions.reading() as records:
            yield records

    @contextmanager
    def writing(self) -> Iterator[Records]:
        self._fuse.step()
        with self._transactions.writing() as records:
            yield records
            self._fuse.step()
        self._fuse.step()


class Cut:
    """Any other port: each call is a step, and so is its end."""

    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def call(*given: object, **named: object) -> object:
            self._fuse.step()
            result = found(*given, **named)
            self._fuse.step()
            # A store that was opened is a port of its own.
            return Cut(result, self._fuse) if name == "open" else result

        return call
