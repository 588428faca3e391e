"""The scrub, as people order it and as servers tell of it."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.progress import Progress
from corral.farm.application.store_tasks import tell_scrub
from corral.farm.application.take_server_report import ServerReport
from corral.farm.application.work_on_task import Failed, Finished, Stopped
from corral.farm.domain.check.finding import Kind
from corral.farm.domain.estate.replication import RateInvalidError
from corral.farm.domain.estate.scrub import MODEST, ScrubPass, ScrubPolicy, SeenScrub
from corral.farm.domain.estate.store import FIRST_STORE, StoreChangedError
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.task.errors import StoreUnhealedError, TaskArgumentsInvalidError

FAST = ScrubPolicy(rate=100 << 20, every=timedelta(days=1))


def test_servers_are_told_the_policy_of_their_store_and_whom_to_ask(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    told = farm.application.configure_server(first.id)
    assert told.scrub == MODEST
    assert [peer.server for peer in told.others] == [second.name]
    farm.application.set_scrub(FIRST_STORE.name, FAST)
    after = farm.application.configure_server(first.id)
    assert after.scrub == FAST
    assert after.generation > told.generation


def test_second_of_two_who_set_the_policy_is_told(farm: FarmInMemory) -> None:
    seen = farm.application.show_store(FIRST_STORE.name).store
    changed = farm.application.set_scrub(seen.name, FAST, seen.revision)
    assert (changed.scrub, changed.revision) == (FAST, seen.revision + 1)
    with pytest.raises(StoreChangedError):
        farm.application.set_scrub(seen.name, MODEST, seen.revision)
    generation = farm.generation
    assert farm.application.set_scrub(seen.name, FAST) == changed
    assert farm.generation == generation


def test_what_a_server_says_of_its_scrub_is_kept(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    now = farm.ports.clock.now()
    seen = SeenScrub(under_way=ScrubPass(now, None, 10, 5, 1, 0), unhealed_chunks=1)
    farm.application.take_server_report(server.id, ServerReport(farm.generation, scrub=seen))
    report = farm.application.show_server(server.name).server.last_report
    assert report is not None
    assert report.scrub == seen


def test_sound_store_is_scrubbed(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1, 2))
    report = farm.application.scrub_store(server.name, None, Progress())
    assert report.scrub.is_sound
    assert report.affected == ()
    assert "are sound" in tell_scrub(report)


def test_damage_that_nobody_can_heal_takes_the_replica_out_until_it_is_sound(
    farm: FarmInMemory,
) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1, 2)).version
    store = farm.store_of("s1")
    name, sound = next(iter(store.chunks.items()))
    store.chunks[name] = b"rot"
    report = farm.application.scrub_store(server.name, None, Progress())
    assert report.affected == (version.name,)
    with pytest.raises(StoreUnhealedError, match="debian/1"):
        tell_scrub(report)
    (replica,) = farm.application.show_version(version.name).replicas
    assert replica.replica.state is ReplicaState.DAMAGED
    # The server need not read all of it again: it knows what is missing.
    assert replica.replica.doubt == 0
    store.chunks[name] = sound
    assert farm.application.scrub_store(server.name, None, Progress()).scrub.is_sound
    (replica,) = farm.application.show_version(version.name).replicas
    assert replica.replica.state is ReplicaState.COMPLETE


def test_scrub_is_a_task(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    task = farm.application.begin_task("scrub", {"server": server.name, "rate": "20M"}, "here-1")
    assert (task.request.object, task.request.server) == (server.name, server.name)
    with pytest.raises(RateInvalidError):
        farm.application.begin_task("scrub", {"server": server.name, "rate": "fast"}, "here-1")
    with pytest.raises(TaskArgumentsInvalidError, match="server"):
        farm.application.begin_task("scrub", {}, "here-1")


@dataclass
class Around:
    """What a worker lends to a task."""

    progress: Progress = field(default_factory=Progress)

    def wait(self, seconds: float) -> None:
        raise NotImplementedError

    def say(self, text: str) -> None:
        raise NotImplementedError

    def made(self, records: object, result: str) -> None:
        raise NotImplementedError


def test_worker_scrubs_and_says_what_it_came_to(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1, 2))
    task = farm.application.start_task("scrub", {"server": server.name})
    ending = farm.application.run_task(task, Around())
    assert isinstance(ending, Finished)
    assert ending.result.endswith("bytes of s1 are sound")
    cancelled = Around()
    cancelled.progress.cancel()
    assert farm.application.run_task(task, cancelled) == Stopped()
    store = farm.store_of("s1")
    store.chunks[next(iter(store.chunks))] = b"rot"
    failed = farm.application.run_task(task, Around())
    assert isinstance(failed, Failed)
    assert failed.failure.code == "store-unhealed"
    assert "debian/1" in failed.failure.message


def test_farm_check_tells_of_scrubs_that_are_late_or_stuck(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    seen = SeenScrub(problem="cannot write: no space left on device")
    farm.application.take_server_report(server.id, ServerReport(farm.generation, scrub=seen))
    (stuck,) = [f for f in farm.application.check_farm().findings if f.kind is Kind.SCRUB_STUCK]
    assert "no space" in stuck.message
    assert stuck.thing == "server s1"
    farm.ports.clock.advance(timedelta(days=29))
    healthy = replace(seen, problem="")
    farm.application.take_server_report(server.id, ServerReport(farm.generation, scrub=healthy))
    kinds = {finding.kind for finding in farm.application.check_farm().findings}
    assert Kind.SCRUB_OVERDUE in kinds
    assert Kind.SCRUB_STUCK not in kinds
