"""What a worker logs of its runs, with a farm in memory behind it."""

from dataclasses import replace

from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from tests.farm_in_memory import FarmInMemory

from corral.farm.adapters.memory.tasks import MemoryTaskEngine
from corral.farm.adapters.sql.transactions import ConnectionUse
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.task.worker import Worker
from corral.farm.entrypoints.worker.metrics import WorkerMetrics
from corral.farm.entrypoints.worker.running import Runs

ADA = Actor(ActorKind.ACCOUNT, "ada")


def logged(farm: FarmInMemory, asker: Actor) -> dict[str, dict[str, object]]:
    """Have a task asked for and run, and give what the worker logs of it, by event."""
    app = farm.application
    farm.add_server("s1")
    app.acting_as(asker).start_task("heal", {"server": "s1"})
    engine = MemoryTaskEngine()
    app.dispatch_tasks(engine, Worker("w1", None, farm.ports.clock.now()), 0)
    run = engine.take()
    assert run is not None
    metrics = WorkerMetrics("w1", app, ConnectionUse)
    with capture_logs(processors=[merge_contextvars]) as lines:
        Runs(app, farm.ports.clock, "w1", metrics).begin(*run)
    return {str(line["event"]): dict(line) for line in lines}


def test_lines_of_a_run_name_the_request_that_asked_for_it(farm: FarmInMemory) -> None:
    lines = logged(farm, replace(ADA, request="boot-17"))
    for event in ("task begins", "task ended"):
        assert (lines[event]["task"], lines[event]["request"]) == (1, "boot-17")


def test_lines_of_a_run_that_no_request_asked_for_name_the_task_alone(farm: FarmInMemory) -> None:
    lines = logged(farm, ADA)
    assert lines["task ended"]["task"] == 1
    assert "request" not in lines["task ended"]
