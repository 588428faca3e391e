"""The order of the measurements: every server in every round, in an order that turns."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

from bench.disturbance import Patience
from bench.process import Running, Transport
from bench.servers import Candidate
from bench.work import LoadGenerator, Sample, Work, fio_random_read

_T = TypeVar("_T")
_BUSY_CONNECTIONS, _BUSY_DEPTH = 8, 64


@dataclass
class Collected:
    """The samples of one work: by transport, then by server, in the order of the rounds."""

    work: Work
    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)

    def add(self, server: Running, sample: Sample) -> None:
        """Keep one more sample."""
        by_server = self.samples.setdefault(server.endpoint.transport, {})
        by_server.setdefault(server.name, []).append(sample)


def measure_running(
    works: Sequence[Work], candidates: Sequence[Candidate], rounds: int, patience: Patience
) -> list[Collected]:
    """Measure servers that all run side by side, one of them at work at a time.

    They run through all rounds of a transport, so that threads, buffers and page cache are as warm
    as those of a server that was not started a moment ago; one that waits takes no CPU. The first
    work is done once before the rounds and not kept: it must read the whole image.
    """
    collected = [Collected(work) for work in works]
    for transport in Transport:
        with ExitStack() as running:
            servers = [running.enter_context(one.start(transport)) for one in candidates]
            for server in servers:
                works[0].measure(server)
            for number in range(rounds):
                _tell(f"{transport}, round {number + 1} of {rounds}")
                for kept in collected:
                    for server in turned(servers, number):
                        kept.add(server, patience.measure(kept.work, server))
    return collected


def measure_fresh(work: Work, candidates: Sequence[Candidate], rounds: int) -> Collected:
    """Measure each server right after its start, with no other one running."""
    collected = Collected(work)
    for transport in Transport:
        _tell(f"{transport}, {work.name}")
        for number in range(rounds):
            for candidate in turned(candidates, number):
                with candidate.start(transport) as server:
                    collected.add(server, work.measure(server))
    return collected


def turned(items: Sequence[_T], number: int) -> list[_T]:
    """Begin with another item in each round, and go the other way in every second one."""
    shift = number % len(items)
    order = [*items[shift:], *items[:shift]]
    return order[::-1] if number % 2 else order


def compare_generators(idle_server: Candidate, load: LoadGenerator) -> dict[str, float]:
    """IO/s that each load generator gets out of a server that does no work, on the busiest work."""
    with idle_server.start(Transport.UNIX) as server:
        told = load.run(
            server.endpoint, _BUSY_CONNECTIONS, _BUSY_DEPTH, stamped=False, batched=True
        )
        return {
            "nbd-load": told["requests"] / told["seconds"],
            "fio": fio_random_read(server.endpoint, _BUSY_CONNECTIONS, _BUSY_DEPTH, load.seconds),
        }


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)
