"""Tasks: people ask for them, workers run them, die, and are given up."""

from datetime import timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.farm_in_memory import disk
from tests.unit.farm.application.machine.farm import Farm
from tests.unit.farm.application.machine.images import DISK
from tests.unit.farm.application.machine.steps import Steps, cuts, images, servers, versions

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.progress import Amounts, Progress
from corral.farm.application.set_backups import BackupRulesWish
from corral.farm.domain.backup.backup import Recipient
from corral.farm.domain.estate.server import ServerName
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.version import Access, VersionName
from corral.farm.domain.task.errors import TaskLostError
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.rules import TaskRulesWish
from corral.farm.domain.task.schedule import ScheduleName, Times, schedule_name
from corral.farm.domain.task.task import TaskKind
from corral.farm.domain.task.worker import SILENCE, Worker

schedules = st.sampled_from(["nightly", "weekly"]).map(schedule_name)
NOTHING = Amounts()


class WorkSteps(Steps):
    @rule(image=images, content=st.integers(1, 3), server=servers, cut=cuts)
    def start_import(
        self, image: ImageName, content: int, server: ServerName, cut: int | None
    ) -> None:
        def step(farm: Farm) -> None:
            farm.ports.files[DISK] = disk(content, 0, 9)
            given = {"image": image, "path": str(DISK), "server": server}
            farm.application.start_task("import", given | {"even_if_unchanged": True})

        self.take(step, cut)

    @rule(version=versions, server=servers, cut=cuts)
    def start_replication(self, version: VersionName, server: ServerName, cut: int | None) -> None:
        given: dict[str, str | tuple[str, ...]] = {"version": str(version), "to": (server,)}
        self.take(lambda f: f.application.start_task("replicate", given), cut)

    @rule(
        kind=st.sampled_from(["verify", "heal", "collect", "scrub", "rebalance"]),
        server=servers,
        cut=cuts,
    )
    def start_on_server(self, kind: str, server: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.application.start_task(kind, {"server": server}), cut)

    @rule(server=servers, cut=cuts)
    def collect(self, server: ServerName, cut: int | None) -> None:
        self.take(lambda f: f.application.collect_store(server, Progress()), cut)

    @rule(set_up=st.booleans(), cut=cuts)
    def back_up(self, *, set_up: bool, cut: int | None) -> None:
        wish = BackupRulesWish(Path("/backups"), (Recipient("age1somebody"),), daily=1)

        def step(farm: Farm) -> None:
            if set_up:
                farm.application.set_backups(wish)
            farm.application.create_backup(BackupWish(), Progress())

        self.take(step, cut)

    @rule(number=st.integers(1, 3), days=st.sampled_from([1, 30]), cut=cuts)
    def set_task_rules(self, number: int, days: int, cut: int | None) -> None:
        wish = TaskRulesWish({TaskKind.VERIFY: number}, kept_for=timedelta(days=days))
        self.take(lambda f: f.application.set_task_rules(wish), cut)

    @rule(cut=cuts)
    def prune(self, cut: int | None) -> None:
        self.take(lambda f: f.application.prune_tasks(f.engine), cut)

    @rule(cut=cuts)
    def worker_leaves(self, cut: int | None) -> None:
        self.take(lambda f: f.application.forget_worker("w"), cut)

    @rule(image=images, access=st.sampled_from(Access), cut=cuts)
    def start_sealing(self, image: ImageName, access: Access, cut: int | None) -> None:
        given = {"image": image, "access": access.value}
        self.take(lambda f: f.application.start_task("seal", given), cut)

    @rule(
        number=st.integers(1, 6).map(TaskNumber),
        wish=st.sampled_from(["pause", "resume", "cancel", "retry"]),
        cut=cuts,
    )
    def ask(self, number: TaskNumber, wish: str, cut: int | None) -> None:
        self.take(lambda f: getattr(f.application, f"{wish}_task")(number), cut)

    @rule(name=schedules, server=servers, cut=cuts)
    def add_schedule(self, name: ScheduleName, server: ServerName, cut: int | None) -> None:
        times = Times("0 3 * * *")
        self.take(
            lambda f: f.application.add_schedule(name, times, "verify", {"server": server}), cut
        )

    @rule(name=schedules, cut=cuts)
    def remove_schedule(self, name: ScheduleName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_schedule(name), cut)

    @rule(name=schedules, cut=cuts)
    def cancel_scheduled_run(self, name: ScheduleName, cut: int | None) -> None:
        self.take(lambda f: f.application.cancel_scheduled_run(name), cut)

    @rule(cut=cuts)
    def the_hour_strikes(self, cut: int | None) -> None:
        """Begin what the engine was told to begin; once for the time, however often it is asked."""

        def step(farm: Farm) -> None:
            at = farm.ports.clock.now()
            for schedule in farm.queue.schedules:
                farm.application.begin_scheduled(schedule.name, at)
                assert farm.application.begin_scheduled(schedule.name, at) is None

        self.take(step, cut)

    # Workers.

    @rule(seconds=st.sampled_from([1.0, 6.0, SILENCE.total_seconds()]), cut=cuts)
    def dispatch(self, seconds: float, cut: int | None) -> None:
        for farm in self.farms:
            farm.wait(seconds)
            farm.steady += seconds
        self.take(dispatched, cut)

    @rule(cut=cuts)
    def claim(self, cut: int | None) -> None:
        self.take(claimed, cut)

    @rule(cut=cuts)
    def work(self, cut: int | None) -> None:
        """Take the next task, and run it to its end."""

        def step(farm: Farm) -> None:
            dispatched(farm)
            claimed(farm)
            if farm.held:
                carried_on(farm, len(farm.held) - 1)

        self.take(step, cut)

    @rule(place=st.integers(0, 2), cut=cuts)
    def carry_on(self, place: int, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            if place < len(farm.held):
                carried_on(farm, place)

        self.take(step, cut)

    @rule(place=st.integers(0, 2), cut=cuts)
    def beat(self, place: int, cut: int | None) -> None:
        def step(farm: Farm) -> None:
            if place < len(farm.held):
                task = farm.held[place]
                farm.application.keep_task(task.number, task.run, NOTHING)

        self.take(step, cut)

    @rule()
    def the_queue_forgets(self) -> None:
        for farm in self.farms:
            farm.queue.runs.clear()


def dispatched(farm: Farm) -> None:
    worker = Worker("w", None, farm.ports.clock.now())
    farm.application.dispatch_tasks(farm.engine, worker, farm.steady)


def claimed(farm: Farm) -> None:
    taken = farm.engine.take()
    if taken is None:
        return
    number, run = taken
    task = farm.application.claim_task(number, run, "w")
    if task is not None:
        # Whoever was at work on it before has been given up: of two, one would be too many.
        assert all((one.number, one.run) != (task.number, task.run) for one in farm.held)
        farm.held.append(task)


def carried_on(farm: Farm, place: int) -> None:
    """Run what a worker holds. One that was given up in the meantime must publish nothing."""
    task = farm.held.pop(place)
    before = farm.versions()
    try:
        ending = farm.application.run_task(task, farm.around(task))
        farm.application.end_task(task.number, task.run, ending, NOTHING)
    except TaskLostError:
        if task.request.kind == "import":
            assert farm.versions() == before
        raise
    finally:
        if task.request.kind == "import":
            new = farm.versions().keys() - before.keys()
            farm.published_by.setdefault(task.number, []).extend(new)
