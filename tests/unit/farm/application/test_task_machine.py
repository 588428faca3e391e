"""People, workers, an engine that forgets and processes that die, in any order.

Whatever happens: one run has one worker, what a task makes is made once, and in the end every task
that nobody holds up has ended.
"""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.adapters.memory.tasks import MemoryTaskEngine
from corral.farm.application.progress import Amounts
from corral.farm.application.work_on_task import Failed, Finished, PutOff, Stopped, made
from corral.farm.domain.task.engine import EngineState
from corral.farm.domain.task.errors import TaskLostError, TaskTransitionError, TaskUnknownError
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import Failure, Task
from corral.farm.domain.task.worker import SILENCE, Worker

pytestmark = pytest.mark.thorough

DISK = Path("/disks/golden")
NOTHING = Amounts()


class Shop(RuleBasedStateMachine):
    """A farm with two servers; ``held`` are the runs that some worker believes to be its own."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.farm = FarmInMemory()
        for name in ("s1", "s2"):
            self.farm.add_server(name)
        self.farm.ports.files[DISK] = disk(1)
        self.verbs = self.farm.application
        self.engine = MemoryTaskEngine()
        self.steady = 0.0
        self.claims: dict[tuple[int, int], int] = {}
        self.made: dict[int, int] = {}

    # people

    @initialize()
    def begin(self) -> None:
        for server in ("s1", "s1", "s2"):
            self.start(server, "a")

    @rule(server=st.sampled_from(("s1", "s2")), image=st.sampled_from(("a", "b")))
    def start(self, server: str, image: str) -> None:
        arguments = {"image": image, "path": str(DISK), "server": server}
        self.verbs.start_task("import", arguments)

    @rule(number=st.integers(1, 6), wish=st.sampled_from(("pause", "resume", "cancel", "retry")))
    def ask(self, number: int, wish: str) -> None:
        verb = getattr(self.verbs, f"{wish}_task")
        try:
            verb(TaskNumber(number))
        except (TaskTransitionError, TaskUnknownError):
            return

    # workers

    @rule(seconds=st.sampled_from((1.0, 6.0, SILENCE.total_seconds())))
    def dispatch(self, seconds: float) -> None:
        self.farm.wait(seconds)
        self.steady += seconds
        worker = Worker("w", None, self.farm.ports.clock.now())
        self.verbs.dispatch_tasks(self.engine, worker, self.steady)

    @rule(target=held)
    def claim(self) -> object:
        self.dispatch(1)
        taken = self.engine.take()
        if taken is None:
            return multiple()
        task = self.verbs.claim_task(*taken, "w")
        self.engine.runs[taken] = EngineState.ENDED if task is None else EngineState.STARTED
        if task is None:
            return multiple()
        key = (task.number, task.run)
        self.claims[key] = self.claims.get(key, 0) + 1
        return task

    @rule(task=held)
    def beat(self, task: Task) -> None:
        try:
            self.verbs.keep_task(task.number, task.run, NOTHING)
        except TaskLostError:
            return

    @rule(task=held)
    def make(self, task: Task) -> None:
        """Do what a verb does in the transaction that publishes."""
        try:
            with self.farm.ports.transactions.writing() as records:
                made(records, task.number, task.run, "made")
        except TaskLostError:
            return
        self.made[task.number] = self.made.get(task.number, 0) + 1

    @rule(
        task=consumes(held),
        ending=st.sampled_from(
            (Finished("made"), Failed(Failure("code", "why")), Stopped(), PutOff("busy"))
        ),
    )
    def end(self, task: Task, ending: Finished | Failed | Stopped | PutOff) -> None:
        self.engine.runs[task.number, task.run] = EngineState.ENDED
        try:
            self.verbs.end_task(task.number, task.run, ending, NOTHING)
        except TaskLostError:
            return

    @rule(task=consumes(held))
    def die(self, task: Task) -> None:
        """Leave a run as a killed worker does: nobody hears of it again."""

    @rule()
    def forget(self) -> None:
        """Let the engine lose its database."""
        self.engine.runs.clear()

    # what holds

    @invariant()
    def one_run_is_begun_once(self) -> None:
        assert all(count == 1 for count in self.claims.values())

    @invariant()
    def what_a_task_makes_is_made_once(self) -> None:
        assert all(count == 1 for count in self.made.values())

    @invariant()
    def limits_hold(self) -> None:
        running = [
            view.task.request.server
            for view in self.verbs.list_tasks(ended=0)
            if view.task.state is TaskState.RUNNING
        ]
        assert len(running) == len(set(running))

    def teardown(self) -> None:
        """Let an honest worker go on alone: everything that may end, ends."""
        for _ in range(60):
            self.dispatch(SILENCE.total_seconds())
            while (taken := self.engine.take()) is not None:
                task = self.verbs.claim_task(*taken, "honest")
                self.engine.runs[taken] = EngineState.ENDED
                if task is not None:
                    self.verbs.end_task(task.number, task.run, Finished("made"), NOTHING)
        states = {view.task.state for view in self.verbs.list_tasks(ended=0)}
        assert states <= {TaskState.PAUSED}


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
