"""What Prometheus reads of a worker, with a farm in memory behind it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.farm_in_memory import FarmInMemory, MemoryPorts

from corral.farm.adapters.memory.records import MemoryRecords, MemoryTransactions
from corral.farm.adapters.sql.transactions import ConnectionUse
from corral.farm.application.verbs import Application
from corral.farm.domain.estate.errors import FarmDatabaseUnreachableError
from corral.farm.domain.task.task import TaskKind
from corral.farm.entrypoints.worker.metrics import WorkerMetrics


class _Away(MemoryTransactions):
    @contextmanager
    def reading(self) -> Iterator[MemoryRecords]:
        self._answer()
        with super().reading() as records:
            yield records

    def _answer(self) -> None:
        message = "nobody answers"
        raise FarmDatabaseUnreachableError(message)


def samples(metrics: WorkerMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


@pytest.fixture
def metrics(farm: FarmInMemory) -> WorkerMetrics:
    return WorkerMetrics("w1", farm.application, lambda: ConnectionUse(2, 3))


def of(kind: str, **more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"kind": kind, **more}.items()))


def test_active_tasks_are_counted_by_kind_and_state(
    farm: FarmInMemory, metrics: WorkerMetrics
) -> None:
    farm.add_server("s1")
    for _ in range(2):
        farm.application.start_task("heal", {"server": "s1"})
    farm.application.pause_task(farm.application.start_task("verify", {"server": "s1"}).number)
    found = samples(metrics)
    assert found["corral_tasks", of("heal", state="queued")] == 2
    assert found["corral_tasks", of("verify", state="paused")] == 1
    # Of every kind and every active state there is one, so that an alert can wait for it.
    states = {"queued", "running", "paused"}
    assert {labels for name, labels in found if name == "corral_tasks"} == {
        of(kind.value, state=state) for kind in TaskKind for state in states
    }


def test_runs_are_counted_by_how_they_ended(metrics: WorkerMetrics) -> None:
    first, second = metrics.run_begins(TaskKind.IMPORT), metrics.run_begins(TaskKind.IMPORT)
    assert samples(metrics)["corral_worker_running", of("import")] == 2
    first.stop("done")
    second.stop("failed")
    metrics.round_done(is_refused=False)
    metrics.round_done(is_refused=True)
    found = samples(metrics)
    assert found["corral_worker_running", of("import")] == 0
    assert found["corral_worker_runs_total", of("import", ending="done")] == 1
    assert found["corral_worker_runs_total", of("import", ending="failed")] == 1
    assert found["corral_worker_run_seconds_count", of("import")] == 2
    assert found["corral_worker_run_seconds_count", of("heal")] == 0
    assert found["corral_worker_rounds_total", (("result", "refused"),)] == 1


def test_it_tells_of_its_process_and_its_connections(metrics: WorkerMetrics) -> None:
    found = samples(metrics)
    assert found["corral_database_up", ()] == 1
    assert found["corral_database_connections", (("state", "in-use"),)] == 2
    assert found["corral_database_connections", (("state", "idle"),)] == 3
    assert found["process_open_fds", ()] > 0
    assert [value for (name, _), value in found.items() if name == "corral_worker_info"] == [1]


def test_without_the_database_it_tells_the_rest() -> None:
    application = Application(MemoryPorts(transactions=_Away()))
    metrics = WorkerMetrics("w1", application, ConnectionUse)
    metrics.run_begins(TaskKind.SEAL)
    found = samples(metrics)
    assert found["corral_database_up", ()] == 0
    assert found["corral_worker_running", of("seal")] == 1
    assert not any(name == "corral_tasks" for name, _ in found)
