"""Workers that are killed, frozen and stopped in the middle of an import, and what is left then."""

import signal
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import httpx
from demo.processes import free_port

from tests.integration.farm.conftest import add_server
from tests.integration.farm.freezing import freeze
from tests.integration.tasks.conftest import Workshop, wait_until


def check(workshop: Workshop, disk: Path, version: str) -> None:
    """The store is sound, and gives the disk back."""
    workshop.corral.ask("image", "verify", version)
    back = workshop.home / "back.raw"
    workshop.corral.ask("image", "export", version, str(back), "--overwrite")
    with back.open("rb") as given, disk.open("rb") as wanted:
        while block := wanted.read(1 << 22):
            assert given.read(1 << 22) == block


def test_import_of_a_killed_worker_is_finished_by_another_exactly_once(
    any_workshop: Workshop, big_disk: Path
) -> None:
    workshop = any_workshop
    number = workshop.start_import(big_disk)
    assert "no worker runs" in workshop.task(number)["waiting"]
    first = workshop.worker()
    workshop.freeze_halfway(number, first)
    first.kill()
    assert workshop.versions() == []
    second = workshop.worker("s1")
    task = workshop.wait_for(number, "done")
    assert task["run"] == 2
    assert task["result"] == "published golden/1"
    log = " | ".join(line["text"] for line in task["log"])
    assert "has not been heard of: taken away from it" in log
    assert workshop.versions() == ["golden/1"]
    [begins] = [line for line in second.says.splitlines() if "task begins" in line]
    assert {"run=2", f"task={number}"} <= set(begins.split())
    check(workshop, big_disk, "golden/1")


def test_frozen_worker_that_comes_back_publishes_nothing(
    workshop: Workshop, big_disk: Path
) -> None:
    number = workshop.start_import(big_disk)
    first = workshop.worker()
    workshop.freeze_halfway(number, first)
    workshop.worker()
    # The frozen one still holds the image's lock: the task waits, and says for what.
    wait_until(
        "the task waits", lambda: "another command is importing" in str(workshop.task(number))
    )
    first.thaw()
    task = workshop.wait_for(number, "done")
    assert task["run"] > 1
    wait_until("the frozen one sees it", lambda: "task lost" in first.says)
    assert workshop.versions() == ["golden/1"]
    check(workshop, big_disk, "golden/1")


def test_pause_resume_and_cancel_in_the_middle_of_an_import(
    any_workshop: Workshop, big_disk: Path
) -> None:
    workshop = any_workshop
    number = workshop.start_import(big_disk)
    worker = workshop.worker()
    workshop.freeze_halfway(number, worker)
    workshop.corral.ask("task", "pause", str(number))
    with worker.crawling():
        paused = workshop.wait_for(number, "paused")
    assert workshop.versions() == []
    assert paused["done_bytes"] < big_disk.stat().st_size
    assert set(paused["possible"]) == {"resume", "cancel"}
    workshop.corral.ask("task", "resume", str(number))
    wait_until("it runs again", lambda: workshop.look(number).state == "running")
    worker.freeze()
    assert workshop.look(number).run == 2
    said = workshop.corral.ask("task", "cancel", str(number))
    assert said["wish"] == "cancel"
    assert "no version was published" in said["cancel_leaves"]
    with worker.crawling():
        workshop.wait_for(number, "cancelled")
    assert workshop.versions() == []
    workshop.corral.ask("store", "verify", "s1")
    workshop.corral.ask("task", "retry", str(number))
    assert workshop.wait_for(number, "done")["result"] == "published golden/1"
    assert workshop.versions() == ["golden/1"]
    check(workshop, big_disk, "golden/1")
    worker.stop()


def test_worker_that_is_told_to_stop_hands_its_task_back(
    workshop: Workshop, big_disk: Path
) -> None:
    number = workshop.start_import(big_disk)
    first = workshop.worker()
    workshop.freeze_halfway(number, first)
    first.process.send_signal(signal.SIGTERM)
    with first.crawling():
        first.stop()
    task = workshop.task(number)
    assert (task["state"], task["run"]) == ("queued", 2)
    assert "handed it back" in " ".join(line["text"] for line in task["log"])
    workshop.worker()
    workshop.wait_for(number, "done")
    assert workshop.versions() == ["golden/1"]


def test_one_server_imports_one_image_at_a_time_and_each_worker_keeps_to_its_servers(
    workshop: Workshop,
) -> None:
    add_server(workshop.corral, "s2", workshop.home / "store-s2")
    disk = workshop.disk("disk.raw", 64)
    numbers = [workshop.start_import(disk, f"image{n}") for n in range(3)]
    elsewhere = workshop.corral.ask("task", "start", "verify", "server=s2")["number"]
    workshop.worker("s1")
    workshop.worker("s1")
    running: list[int] = []

    def all_done() -> bool:
        tasks = [workshop.look(number) for number in numbers]
        running.append(sum(task.state == "running" for task in tasks))
        return all(task.state == "done" for task in tasks)

    wait_until("all imports are done", all_done)
    assert max(running) <= 1
    order = sorted(
        (str(task["started_at"]), str(task["ended_at"])) for task in map(workshop.task, numbers)
    )
    for (_, one_ended), (next_began, _) in pairwise(order):
        assert one_ended <= next_began
    waiting = workshop.task(elsewhere)
    assert waiting["state"] == "queued"
    assert "no worker reaches the store of s2" in waiting["waiting"]
    workshop.worker("s2")
    workshop.wait_for(elsewhere, "done")


def test_import_in_a_terminal_is_seen_and_cancelled_from_elsewhere(
    workshop: Workshop, big_disk: Path
) -> None:
    with workshop.corral.started("image", "import", "golden", str(big_disk)) as command:
        wait_until("the import is there", workshop.records.list_tasks)
        freeze(command.pid, workshop.corral.farm)
        [task] = workshop.corral.ask("task", "list", "--filter", "state=running")
        assert task["in_terminal"]
        refusal = workshop.corral.refusal("task", "pause", "1")
        assert refusal.code == "task-not-pausable"
        workshop.corral.ask("task", "cancel", "1")
        command.send_signal(signal.SIGCONT)
        _, said = command.communicate(timeout=60)
    assert '"code": "cancelled"' in said
    assert command.returncode == 130
    ended = workshop.look(1)
    assert ended.state == "cancelled"
    assert ended.progress.done_bytes < big_disk.stat().st_size
    assert workshop.versions() == []


def test_task_of_a_killed_terminal_fails_with_the_reason(
    workshop: Workshop, big_disk: Path
) -> None:
    with workshop.corral.started("image", "import", "golden", str(big_disk)) as command:
        wait_until("it runs", workshop.records.list_tasks)
        command.kill()
    workshop.worker()
    wait_until("it has failed", lambda: workshop.look(1).state == "failed")
    assert workshop.task(1)["failure"]["code"] == "task-process-ended"
    assert workshop.corral.refusal("task", "retry", "1").code == "task-not-retriable"
    assert workshop.versions() == []


def test_schedule_begins_runs_and_one_of_them_is_cancelled_alone(workshop: Workshop) -> None:
    disk = workshop.disk("disk.raw", 8)
    workshop.corral.ask("image", "import", "golden", str(disk))
    add_server(workshop.corral, "s2", workshop.home / "store-s2")
    # Nobody streams for s2, so that the replication goes on until it is cancelled.
    words = ("replicate", "version=golden/1", "to=s2")
    workshop.corral.ask("schedule", "add", "often", "--at", "* * * * *", *words)
    assert workshop.corral.refusal("schedule", "cancel-run", "often").code == "schedule-not-running"
    workshop.worker()
    wait_until("a run begins", lambda: workshop.records.list_schedules()[0].run)
    number = workshop.corral.ask("schedule", "list")[0]["running_task"]
    workshop.wait_for(number, "running")
    workshop.corral.ask("schedule", "cancel-run", "often")
    workshop.wait_for(number, "cancelled")
    [schedule] = workshop.corral.ask("schedule", "list")
    # The next minute may have come meanwhile; that run is another one.
    assert schedule["running_task"] != number
    workshop.corral.ask("schedule", "remove", "often")
    assert workshop.corral.ask("schedule", "list") == []


def test_a_worker_forgets_what_ended_long_ago(workshop: Workshop) -> None:
    disk = workshop.disk("small.raw", 1)
    first = workshop.worker()
    numbers = [workshop.start_import(disk, image) for image in ("one", "two")]
    for number in numbers:
        workshop.wait_for(number, "done")
    first.stop()
    runs = f"{numbers[0]}-run-1", f"{numbers[1]}-run-1"
    assert [run in kept_runs(workshop) for run in runs] == [True, True]
    with closing(sqlite3.connect(workshop.corral.farm / "farm.db")) as database:
        database.execute("UPDATE task SET ended_at = '2020-01-01 00:00:00.000000'")
        database.commit()
    workshop.worker()
    wait_until("the old task is forgotten", lambda: listed(workshop) == [numbers[1]])
    wait_until("its run is, too", lambda: runs[0] not in kept_runs(workshop))
    # The last number is not given again, here or there.
    assert runs[1] in kept_runs(workshop)
    third = workshop.start_import(disk, "three")
    assert third == numbers[1] + 1
    workshop.wait_for(third, "done")


def listed(workshop: Workshop) -> list[int]:
    return [view.task.number for view in workshop.records.list_tasks()]


def kept_runs(workshop: Workshop) -> set[str]:
    """Name the runs that the engine remembers."""
    with closing(sqlite3.connect(workshop.corral.farm / "farm-tasks.db")) as database:
        rows = database.execute("SELECT workflow_uuid FROM workflow_status").fetchall()
    return {row[0].removeprefix("task-") for row in rows}


def test_a_worker_gives_its_metrics_to_who_has_the_reader_key(any_workshop: Workshop) -> None:
    workshop = any_workshop
    address = f"127.0.0.1:{free_port()}"
    worker = workshop.worker(metrics=address)
    number = workshop.start_import(workshop.disk("small.raw", 1))
    workshop.wait_for(number, "done")
    with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
        assert client.get("/metrics").status_code == 401
        wrong = {"Authorization": f"Bearer {'A' * 43}"}
        assert client.get("/metrics", headers=wrong).status_code == 401
        # The first that asked made it.
        key = (workshop.corral.farm / "reader.key").read_text().strip()
        right = {"Authorization": f"Bearer {key}"}

        def told() -> str:
            return client.get("/metrics", headers=right).raise_for_status().text

        ended = 'corral_worker_runs_total{ending="done",kind="import"} 1.0'
        wait_until("the run is counted", lambda: ended in told())
        assert 'corral_tasks{kind="import",state="running"} 0.0' in told()
        assert "corral_database_up 1.0" in told()
        assert "process_cpu_seconds_total" in told()
    worker.stop()
    refused = workshop.corral.refusal("serve", "worker", "--metrics", "0.0.0.0:10950")
    assert refused.code == "metrics-address"
