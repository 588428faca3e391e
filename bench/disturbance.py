"""How much of the machine others took while something was measured; measuring again if much.

What decides whether a measurement is repeated is the CPU time of processes that have nothing to do
with it, never its outcome; so nothing is gained by being lucky.
"""

import os
import resource
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench.process import Running
from bench.work import Sample, Work

# Of all cores together. A machine with nothing else to do stays below 0.02.
TOLERATED_SHARE = 0.05
_TRIES = 3
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Patience:
    """How many seconds may still be spent on measuring again, in a whole run."""

    seconds: float

    def measure(self, work: Work, server: Running) -> Sample:
        """Measure until others are quiet or patience is over; return the least disturbed."""
        best = _measure(work, server)
        for _ in range(_TRIES - 1):
            if best.disturbance <= TOLERATED_SHARE or self.seconds <= 0:
                break
            start = time.perf_counter()
            again = _measure(work, server)
            self.seconds -= time.perf_counter() - start
            best = min(best, again, key=lambda sample: sample.disturbance)
        return best


def _measure(work: Work, server: Running) -> Sample:
    start, busy, own = time.perf_counter(), _busy_seconds(), _own_seconds(server)
    sample = work.measure(server)
    seconds = (time.perf_counter() - start) * len(os.sched_getaffinity(0))
    foreign = (_busy_seconds() - busy) - (_own_seconds(server) - own)
    return replace(sample, disturbance=max(foreign / seconds, 0.0))


def _busy_seconds() -> float:
    """CPU time of everything on this machine, and what its hypervisor gave to others."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(float, fields)
    ticks = user + nice + system + interrupts + soft_interrupts + stolen
    return ticks / _TICKS_PER_SECOND


def _own_seconds(server: Running) -> float:
    """CPU time of the server, of this process and of the clients that it has waited for."""
    clients = resource.getrusage(resource.RUSAGE_CHILDREN)
    return server.cpu_seconds() + time.process_time() + clients.ru_utime + clients.ru_stime
