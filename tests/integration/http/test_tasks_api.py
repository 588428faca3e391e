"""Tasks and schedules over the API: asked for, followed, refused."""

import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from corral.farm.adapters.memory.tasks import MemoryTaskEngine
from corral.farm.application.progress import Amounts
from corral.farm.application.work_on_task import Finished
from corral.farm.domain.access.permission import Grant, Role
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.worker import Worker
from tests.farm_in_memory import FarmInMemory, disk
from tests.integration.http.test_estate_api import Api, api, farm

__all__ = ["api", "farm"]

DISK = Path("/disks/golden")
IMPORT: dict[str, Any] = {
    "kind": "import",
    "arguments": {"image": "debian", "path": str(DISK)},
}


@pytest.fixture
def tasks(api: Api) -> Api:
    api.farm.add_server("s1")
    api.farm.ports.files[DISK] = disk(1, 2)
    api.act_as(Grant(Role.FARM_ADMINISTRATOR))
    return api


def work(farm: FarmInMemory) -> None:
    """Do as a worker does: claim the next task and run it to its end."""
    engine = MemoryTaskEngine()
    farm.application.dispatch_tasks(engine, Worker("w1", None, farm.ports.clock.now()), 0)
    run = engine.take()
    assert run is not None
    task = farm.application.claim_task(*run, "w1")
    assert task is not None
    farm.application.keep_task(task.number, task.run, Amounts(100, 50, new_bytes=7))
    farm.application.end_task(task.number, task.run, Finished("all is well"), Amounts(100, 100))


def test_task_is_asked_for_shown_and_listed(tasks: Api) -> None:
    answer = tasks("POST", "/v1/tasks", IMPORT)
    assert answer.status_code == 202
    asked = answer.json()
    assert asked["task"]["state"] == "queued"
    assert asked["task"]["owner"] == "account somebody"
    assert asked["arguments"] == IMPORT["arguments"]
    assert asked["possible"] == ["pause", "cancel"]
    assert "no worker runs" in asked["task"]["waiting"]
    assert tasks("GET", "/v1/tasks/1").json() == asked
    listed = tasks("GET", "/v1/tasks?filter=kind=import&filter=active=yes").json()
    assert [one["number"] for one in listed["tasks"]] == [1]
    assert tasks("GET", "/v1/tasks?filter=state=done").json()["total"] == 0


def test_wishes_and_what_does_not_fit(tasks: Api) -> None:
    tasks("POST", "/v1/tasks", IMPORT)
    assert tasks("POST", "/v1/tasks/1/pause").json()["task"]["state"] == "paused"
    assert tasks("POST", "/v1/tasks/1/resume").json()["task"]["state"] == "queued"
    cancelled = tasks("POST", "/v1/tasks/1/cancel").json()
    assert cancelled["task"]["state"] == "cancelled"
    assert "no version was published" in cancelled["cancel_leaves"]
    refused = tasks("POST", "/v1/tasks/1/pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "task-transition")
    assert tasks("POST", "/v1/tasks/1/retry").json()["task"]["run"] == 3
    missing = tasks("GET", "/v1/tasks/99")
    assert (missing.status_code, missing.json()["code"]) == (404, "task-unknown")
    for body, code in (
        ({"kind": "dance"}, "task-kind-unknown"),
        ({"kind": "import"}, "task-arguments-invalid"),
        ({"kind": "import", "arguments": {"image": 7, "path": "/x"}}, "task-arguments-invalid"),
    ):
        answer = tasks("POST", "/v1/tasks", body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_nobody_has_a_worker_do_what_is_forbidden_to_them(tasks: Api) -> None:
    tasks("POST", "/v1/tasks", IMPORT)
    tasks("POST", "/v1/tasks/1/cancel")
    tasks.act_as(Grant(Role.FARM_OPERATOR))
    for method, path, body in (
        ("POST", "/v1/tasks", IMPORT),
        ("POST", "/v1/tasks/1/retry", None),
        ("POST", "/v1/schedules", {"name": "n", "times": "0 2 * * *", **IMPORT}),
    ):
        answer = tasks(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission-missing")
    verify = {"kind": "verify", "arguments": {"server": "s1"}}
    assert tasks("POST", "/v1/tasks", verify).status_code == 202


def test_a_store_is_collected_and_planned_over_the_api_by_an_administrator_alone(
    tasks: Api,
) -> None:
    collect = {"kind": "collect", "arguments": {"server": "s1"}}
    planned = tasks(
        "POST", "/v1/tasks", {**collect, "arguments": {"server": "s1", "dry_run": True}}
    )
    assert (planned.status_code, planned.json()["task"]["server"]) == (202, "s1")
    weekly = {"name": "weekly", "times": "0 3 * * 6", **collect}
    assert tasks("POST", "/v1/schedules", weekly).status_code == 201
    tasks.act_as(Grant(Role.FARM_OPERATOR))
    refused = tasks("POST", "/v1/tasks", collect)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission-missing")


def test_task_is_followed_to_its_end(tasks: Api) -> None:
    tasks("POST", "/v1/tasks", IMPORT)
    seen: list[Any] = []
    with tasks.client.stream("GET", "/v1/tasks/1/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        worker = Thread(target=work, args=(tasks.farm,))
        for line in stream.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
                if len(seen) == 1:
                    worker.start()
        worker.join()
    assert seen[0]["task"]["state"] == "queued"
    assert seen[-1]["task"]["state"] == "done"
    assert seen[-1]["task"]["result"] == "all is well"
    assert seen[-1]["task"]["done_bytes"] == 100
    missing = tasks("GET", "/v1/tasks/99/events")
    assert (missing.status_code, missing.json()["code"]) == (404, "task-unknown")


def test_schedule_is_kept_when_its_run_is_cancelled(tasks: Api) -> None:
    body = {
        "name": "nightly",
        "times": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "kind": "verify",
        "arguments": {"server": "s1"},
    }
    added = tasks("POST", "/v1/schedules", body)
    assert added.status_code == 201
    assert added.json()["server"] == "s1"
    again = tasks("POST", "/v1/schedules", body)
    assert (again.status_code, again.json()["code"]) == (409, "schedule-name-taken")
    wrong = tasks("POST", "/v1/schedules", {**body, "name": "x", "timezone": "Nowhere/Land"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "schedule-invalid")
    idle = tasks("POST", "/v1/schedules/nightly/cancel-run")
    assert (idle.status_code, idle.json()["code"]) == (409, "schedule-not-running")
    schedule = tasks.farm.application.list_schedules()[0].schedule
    task = tasks.farm.application.begin_scheduled(schedule.name, tasks.farm.ports.clock.now())
    assert task is not None
    assert tasks("GET", "/v1/schedules").json()["schedules"][0]["running_task"] == task.number
    assert tasks("POST", "/v1/schedules/nightly/cancel-run").json()["task"]["state"] == "cancelled"
    assert tasks("GET", "/v1/schedules").json()["schedules"][0]["running_task"] is None
    assert tasks("DELETE", "/v1/schedules/nightly").status_code == 204
    assert tasks("DELETE", "/v1/schedules/nightly").status_code == 404
    assert tasks.farm.application.show_task(TaskNumber(task.number)).view.task.state == "cancelled"


def test_the_rules_for_tasks_are_shown_and_changed_by_one_at_a_time(tasks: Api) -> None:
    seen = tasks("GET", "/v1/task-rules")
    assert seen.json()["kept_days"] == 90
    edit = {"of_kind": {"verify": 3}, "kept_days": 30}
    changed = tasks.change("/v1/task-rules", edit, seen.headers["ETag"]).json()
    assert (changed["of_kind"]["verify"], changed["kept_days"], changed["revision"]) == (3, 30, 2)
    assert changed["of_server"] == seen.json()["of_server"]
    late = tasks.change("/v1/task-rules", edit, seen.headers["ETag"])
    assert (late.status_code, late.json()["code"]) == (412, "task-rules-changed")
    for wrong, why in (
        ({"of_kind": {"dance": 3}}, "task-kind-unknown"),
        ({"of_server": 0}, "task-rule-invalid"),
    ):
        refused = tasks.change("/v1/task-rules", wrong)
        assert (refused.status_code, refused.json()["code"]) == (422, why)
