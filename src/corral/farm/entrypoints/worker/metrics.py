"""What Prometheus reads of a worker: its runs, the farm's tasks, its database, its process."""

from __future__ import annotations

import time
from collections import Counter as Tally
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    exposition,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from corral.farm.domain.errors import DomainError
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import TaskKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.core import Metric

    from corral.farm.adapters.sql.transactions import ConnectionUse
    from corral.farm.application.verbs import Application

CONTENT_TYPE: Final = exposition.CONTENT_TYPE_LATEST
_ACTIVE: Final = tuple(state for state in TaskState if state.is_active)
# From a rebalance that has nothing to do to the import of a large disk.
_BUCKETS: Final = (0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)


class WorkerMetrics:
    """Counts what a worker does, and looks at the rest whenever it is asked."""

    def __init__(
        self,
        worker: str,
        application: Application,
        connections: Callable[[], ConnectionUse],
    ) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Farm(application, connections))
        info = Gauge("corral_worker_info", "The worker.", ("worker", "release"), registry=registry)
        info.labels(worker, version("corral")).set(1)
        self._running = Gauge(
            "corral_worker_running", "Tasks that it is at.", ("kind",), registry=registry
        )
        self._runs = Counter(
            "corral_worker_runs", "Runs that ended here.", ("kind", "ending"), registry=registry
        )
        self._seconds = Histogram(
            "corral_worker_run_seconds",
            "How long runs took here.",
            ("kind",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._rounds = Counter(
            "corral_worker_rounds",
            "Looks at the farm's tasks; refused ones were left out.",
            ("result",),
            registry=registry,
        )
        for result in ("done", "refused"):
            self._rounds.labels(result)
        for kind in TaskKind:
            self._running.labels(kind.value)
            self._seconds.labels(kind.value)

    def text(self) -> bytes:
        """Give all of them in Prometheus's text format."""
        return exposition.generate_latest(self._registry)

    def round_done(self, *, is_refused: bool) -> None:
        """Count a round."""
        self._rounds.labels("refused" if is_refused else "done").inc()

    def run_begins(self, kind: TaskKind) -> RunClock:
        """Count a run that begins; what it gives counts its end."""
        self._running.labels(kind.value).inc()
        return RunClock(lambda ending, seconds: self._run_ended(kind, ending, seconds))

    def _run_ended(self, kind: TaskKind, ending: str, seconds: float) -> None:
        self._running.labels(kind.value).dec()
        self._runs.labels(kind.value, ending).inc()
        self._seconds.labels(kind.value).observe(seconds)


class RunClock:
    """Takes the time of one run."""

    def __init__(self, tell: Callable[[str, float], None]) -> None:
        self._tell = tell
        self._began = time.monotonic()

    def stop(self, ending: str) -> None:
        """Say how the run ended."""
        self._tell(ending, time.monotonic() - self._began)


class _Farm(Collector):
    """Looks at the farm's tasks and at the connections to its database."""

    def __init__(self, application: Application, connections: Callable[[], ConnectionUse]) -> None:
        self._application = application
        self._connections = connections
        self._lock = Lock()

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that nobody looks into the database before somebody asks."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Give the gauges of now; without the database, what can be told without."""
        # One look at a time: two that ask for metrics must not ask the database twice.
        with self._lock:
            use = self._connections()
            connections = GaugeMetricFamily(
                "corral_database_connections",
                "This process's connections to the farm's database.",
                labels=("state",),
            )
            connections.add_metric(("in-use",), use.in_use)
            connections.add_metric(("idle",), use.idle)
            yield connections
            try:
                tasks = self._application.list_tasks(ended=0)
            except DomainError:
                yield _database_up(is_up=False)
                return
        yield _database_up(is_up=True)
        counts = Tally((view.task.request.kind, view.task.state) for view in tasks)
        family = GaugeMetricFamily(
            "corral_tasks", "The farm's active tasks.", labels=("kind", "state")
        )
        # Every pair is there, also with 0: an alert on one that never was would never fire.
        for kind in TaskKind:
            for state in _ACTIVE:
                family.add_metric((kind.value, state.value), counts[kind, state])
        yield family


def _database_up(*, is_up: bool) -> GaugeMetricFamily:
    text = "Whether the farm's database answers."
    return GaugeMetricFamily("corral_database_up", text, value=float(is_up))
