"""Backups over the API: the rules and their second editor, a task, and the list."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.progress import Progress
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.access.permission import Grant, Role
from tests.integration.http.test_estate_api import Api, api, farm

__all__ = ["api", "farm"]

RULES: dict[str, Any] = {"folder": "/backups", "recipients": ["age1somebody"], "daily": 3}


@pytest.fixture
def backups(api: Api) -> Api:
    api.act_as(Grant(Role.FARM_ADMINISTRATOR))
    return api


def test_rules_are_changed_by_one_person_at_a_time(backups: Api) -> None:
    seen = backups("GET", "/v1/backups/rules")
    assert (seen.json()["folder"], seen.json()["recipients"]) == (None, [])
    changed = backups.change("/v1/backups/rules", RULES, seen.headers["ETag"])
    assert changed.status_code == 200, changed.text
    assert {key: changed.json()[key] for key in RULES} == RULES
    assert changed.json()["weekly"] == 4
    second = backups.change("/v1/backups/rules", {"weekly": 1}, seen.headers["ETag"])
    assert (second.status_code, second.json()["code"]) == (412, "backup-rules-changed")
    third = backups.change("/v1/backups/rules", {"weekly": 1}, changed.headers["ETag"])
    assert third.json()["revision"] == 3
    entries = [
        one.entry for one in backups.farm.application.list_audit(AuditFilter(what="backup_rule"))
    ]
    assert [entry.actor.name for entry in entries] == ["somebody", "somebody"]
    assert entries[0].after == {"retention": {"daily": 3, "weekly": 1, "monthly": 12}}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"folder": "backups"}, "backup-folder-invalid"),
        ({"recipients": ["somebody"]}, "backup-recipient-invalid"),
        ({"daily": 0}, "backup-retention-invalid"),
        ({"too_old_days": 0}, "backup-retention-invalid"),
        ({"monthly": -1}, "request-invalid"),
    ],
)
def test_rules_that_cannot_be_are_refused(backups: Api, rules: dict[str, Any], code: str) -> None:
    answer = backups.change("/v1/backups/rules", rules)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_backup_is_a_task_and_refused_where_it_has_nowhere_to_go(backups: Api) -> None:
    refused = backups("POST", "/v1/backups", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "backup-unset")
    backups.change("/v1/backups/rules", RULES)
    backups.act_as(Grant(Role.FARM_OPERATOR))
    asked = backups("POST", "/v1/backups", {"with_chunks": True})
    assert asked.status_code == 202, asked.text
    assert asked.json()["task"]["kind"] == "backup"
    assert asked.json()["arguments"] == {"with_chunks": True}
    forbidden = backups.change("/v1/backups/rules", {"folder": "/mine"})
    assert (forbidden.status_code, forbidden.json()["code"]) == (403, "permission-missing")


def test_the_list_tells_age_size_and_what_is_gone(backups: Api) -> None:
    app, clock = backups.farm.application, backups.farm.ports.clock
    backups.change("/v1/backups/rules", RULES)
    first = app.create_backup(BackupWish(), Progress()).backup
    app.note_verified_backup(first.id)
    clock.advance(timedelta(hours=1))
    second = app.create_backup(BackupWish(), Progress()).backup
    backups.farm.ports.backup_files.remove(second.path)
    backups.act_as(Grant(Role.FARM_READER))
    listed = backups("GET", "/v1/backups").json()
    newest, oldest = listed["backups"]
    assert (newest["name"], newest["age_seconds"], newest["verified_at"]) == (second.name, 0, None)
    assert (newest["present"], newest["problem"]) == (False, "there is no such file")
    assert (oldest["age_seconds"], oldest["present"], oldest["problem"]) == (3600, True, "")
    assert oldest["verified_at"] is not None
    assert oldest["size_bytes"] == first.size_bytes > 0
    assert listed["rules"]["folder"] == "/backups"
    assert Path(oldest["path"]) == first.path
