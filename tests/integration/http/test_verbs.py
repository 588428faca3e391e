"""What the command line can do, the API can do, and it is noted who did it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.grant_role import WantedRole
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.application.set_backups import BackupRulesWish
from corral.farm.application.take_server_report import ServerReport
from corral.farm.domain.access.account import account_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.permission import Role
from corral.farm.domain.access.token import Token
from corral.farm.domain.backup.backup import Recipient
from corral.farm.domain.image.image import image_name
from corral.wire.problem import Problem
from corral.wire.server import ServerFile
from tests.integration.http.conftest import DISK, READER, SmallFarm, bearer, served

PASSWORD = "correct horse battery"  # noqa: S105 - nobody's
BETTER = "staple of the battery"


@pytest.fixture
def api(farm: SmallFarm) -> Iterator[httpx.Client]:
    farm.application.add_account(account_name("ada"), Password(PASSWORD))
    farm.application.grant_role(WantedRole(Role.FARM_ADMINISTRATOR, account=account_name("ada")))
    with served(farm) as client:
        client.headers["Authorization"] = f"Bearer {sign_in(client)['token']}"
        client.headers["If-Match"] = "*"
        yield client


def sign_in(api: httpx.Client, account: str = "ada", **more: str) -> dict[str, Any]:
    body = {"account": account, "password": PASSWORD, **more}
    answer = api.post("/v1/sign-in", json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return Problem.model_validate_json(answer.content).code


def ask(api: httpx.Client, method: str, path: str, **body: Any) -> Any:  # noqa: ANN401
    answer = api.request(method, f"/v1{path}", json=body or None)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def audited(api: httpx.Client, what: str) -> list[tuple[str, str, str]]:
    entries = ask(api, "GET", f"/audit?what={what}")["entries"]
    return [(one["actor"], one["where"], one["thing"]) for one in entries]


def test_a_task_remembers_the_request_that_asked_for_it(farm: SmallFarm, api: httpx.Client) -> None:
    api.headers["X-Request-Id"] = "boot-17"
    ask(api, "POST", "/tasks", kind="heal", arguments={"server": "s1"})
    (view,) = farm.application.list_tasks()
    assert view.task.request.owner.request == "boot-17"


def test_certificates_are_shown_to_who_may_read_the_farm(
    farm: SmallFarm, api: httpx.Client
) -> None:
    ends = farm.ports.clock.now() + timedelta(days=90)
    generation = farm.application.show_farm().farm.generation
    report = ServerReport(generation, certificate_ends_at=ends, requires_tls=True)
    farm.application.take_server_report(farm.server.server.id, report)
    shown = ask(api, "GET", "/farm/certificates")
    assert shown["root"].startswith("-----BEGIN CERTIFICATE-----")
    assert shown["api"] is None
    (one,) = shown["servers"]
    assert (one["server"], one["requires_tls"]) == ("s1", True)
    assert one["ends_at"] == int(ends.timestamp())


def test_backups_that_are_not_kept_are_named_and_taken_away(
    farm: SmallFarm, api: httpx.Client
) -> None:
    rules = BackupRulesWish(Path("/backups"), (Recipient("age1somebody"),), daily=9, weekly=9)
    farm.application.set_backups(rules)
    for _ in range(3):
        farm.application.create_backup(BackupWish(), Progress())
        farm.ports.clock.advance(timedelta(days=1))
    farm.application.set_backups(BackupRulesWish(daily=1, weekly=0, monthly=0))
    # The session of three days ago is over.
    api.headers["Authorization"] = f"Bearer {sign_in(api)['token']}"
    named = ask(api, "POST", "/backups/roll-up?dry_run=true")
    assert (len(named["rolled_up"]), named["dry_run"]) == (2, True)
    gone = ask(api, "POST", "/backups/roll-up")
    assert gone["rolled_up"] == named["rolled_up"]
    assert len(ask(api, "GET", "/backups")["backups"]) == 1


def test_who_is_signed_in_sees_what_they_may_and_signs_out(api: httpx.Client) -> None:
    me = ask(api, "GET", "/self")
    assert (me["account"], me["roles"][0]["role"]) == ("ada", "farm-administrator")
    assert "server.drain" in me["permissions"]
    ask(api, "POST", "/self/sign-out")
    assert code(api.get("/v1/self"), 401) == "access-token-expired"


def test_a_one_time_secret_opens_nothing_but_the_change(api: httpx.Client) -> None:
    secret = ask(api, "POST", "/accounts", name="bob")["one_time_secret"]
    body = {"account": "bob", "password": secret}
    assert code(api.post("/v1/sign-in", json=body), 403) == "password-must-change"
    assert api.post("/v1/sign-in", json={**body, "new_password": PASSWORD}).is_success
    assert code(api.post("/v1/sign-in", json=body), 401) == "sign-in-wrong"
    assert sign_in(api, "bob")["account"] == "bob"


def test_guessing_over_the_api_is_slowed_down(api: httpx.Client) -> None:
    body = {"account": "ada", "password": "not that one at all"}
    answers = [api.post("/v1/sign-in", json=body) for _ in range(6)]
    assert [one.status_code for one in answers] == [401] * 5 + [429]
    assert code(answers[-1], 429) == "sign-in-too-often"
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_no_answer_repeats_a_password(api: httpx.Client) -> None:
    for body in ({"account": "ada", "password": PASSWORD * 100}, {"password": PASSWORD}):
        refused = api.post("/v1/sign-in", json=body)
        assert code(refused, 422) == "request-invalid"
        assert PASSWORD not in refused.text


@pytest.mark.parametrize("noun", ["accounts", "groups", "roles", "tokens", "self/tokens"])
def test_who_may_do_what_is_listed_by_pages(api: httpx.Client, noun: str) -> None:
    for name in ("bob", "eve"):
        ask(api, "POST", "/accounts", name=name)
        ask(api, "POST", "/groups", name=name)
        ask(api, "POST", "/roles/grant", role="farm-reader", group=name)
        ask(api, "POST", "/self/tokens", name=name, scopes=["*.read"])
    things = noun.rpartition("/")[2]
    whole = ask(api, "GET", f"/{noun}")
    assert (len(whole[things]), whole["next"]) == (whole["total"], None)
    first = ask(api, "GET", f"/{noun}?limit=1")
    rest = ask(api, "GET", f"/{noun}?after={first['next']}")
    assert first[things] + rest[things] == whole[things]
    key = "holder" if noun == "roles" else "name"
    found = ask(api, "GET", f"/{noun}?filter={key}=b*")[things]
    assert [one[key] for one in found] == ["bob"]
    assert code(api.get(f"/v1/{noun}?sort=colour"), 422) == "sort-invalid"


def test_one_looks_after_ones_own_password_and_tokens(api: httpx.Client) -> None:
    made = ask(api, "POST", "/self/tokens", name="ci", scopes=["*.read"])
    with_token = {"Authorization": f"Bearer {made['token']}"}
    assert api.get("/v1/servers", headers=with_token).is_success
    refused = api.post("/v1/servers/s1/drain", headers=with_token)
    assert code(refused, 403) == "permission-missing"
    assert made["token"] not in api.get("/v1/self/tokens").text
    ask(api, "DELETE", "/self/tokens/ci")
    assert code(api.get("/v1/servers", headers=with_token), 401) == "access-token-expired"
    wrong = api.post("/v1/self/password", json={"old": BETTER, "new": BETTER})
    assert code(wrong, 401) == "sign-in-wrong"
    ask(api, "POST", "/self/password", old=PASSWORD, new=BETTER)
    assert code(api.get("/v1/self"), 401) == "access-token-expired"


def test_accounts_groups_and_roles(api: httpx.Client) -> None:
    ask(api, "POST", "/accounts", name="bob", password=PASSWORD)
    ask(api, "POST", "/groups", name="team", members=["bob"])
    ask(api, "POST", "/roles/grant", role="site-operator", group="team", site="default")
    bob = ask(api, "GET", "/accounts/bob")
    assert [(one["role"], one["over"]) for one in bob["roles"]] == [("site-operator", "default")]
    again = api.post(
        "/v1/roles/grant", json={"role": "site-operator", "group": "team", "site": "default"}
    )
    assert code(again, 409) == "role-granted"
    assert ask(api, "PATCH", "/groups/team", remove=["bob"])["members"] == []
    seen = {"If-Match": '"7"'}
    stale = api.patch("/v1/accounts/bob", json={"disabled": True}, headers=seen)
    assert code(stale, 412) == "account-changed"
    assert ask(api, "PATCH", "/accounts/bob", disabled=True)["disabled"]
    assert code(api.post("/v1/sign-in", json={"account": "bob", "password": PASSWORD}), 401)
    ask(api, "POST", "/roles/revoke", role="site-operator", group="team", site="default")
    ask(api, "DELETE", "/groups/team")
    ask(api, "DELETE", "/accounts/bob")
    assert code(api.get("/v1/accounts/bob"), 404) == "account-unknown"
    assert [thing for _, _, thing in audited(api, "role_grant")][:2] == [
        "site-operator of team",
        "site-operator of team",
    ]


def test_a_server_drains_and_who_had_it_drained_is_noted(
    farm: SmallFarm, api: httpx.Client
) -> None:
    assert ask(api, "POST", "/servers/s1/drain")["draining"] is True
    assert not ask(api, "POST", "/servers/s1/undrain")["draining"]
    assert audited(api, "server.change") == [("ada", "127.0.0.1", "s1")] * 2
    assert farm.server.server.name == "s1"


def test_a_server_is_added_in_a_folder_of_the_apis_machine(
    farm: SmallFarm, api: httpx.Client
) -> None:
    added = ask(
        api,
        "POST",
        "/servers",
        name="s2",
        folder="/stores/s2",
        listen=["127.0.0.1:10812"],
        chunks="127.0.0.1:10902",
    )
    assert (added["server"]["name"], added["server"]["site"]) == ("s2", "default")
    # Only the answer has the token, and the stream process can start from it as it is.
    assert not any(path.stem == "s2" for path in farm.ports.secret_files.written)
    file = ServerFile.model_validate(added["file"])
    assert (file.server, file.store, file.chunks) == ("s2", "/stores/s2", "127.0.0.1:10902")
    told = api.get("/v1/server/configuration", headers=bearer(Token.parse(file.token)))
    assert told.json()["server"] == "s2"
    assert file.token not in api.get("/v1/audit").text


def test_a_server_is_removed_once_nobody_needs_it(farm: SmallFarm, api: httpx.Client) -> None:
    farm.report_in()
    assert code(api.delete("/v1/servers/s1"), 409) == "server-needed"
    assert code(api.delete("/v1/servers/s1?lost=true"), 409) == "server-not-lost"
    listen = {"listen": ["127.0.0.1:10812"], "chunks": "127.0.0.1:10902"}
    added = ask(api, "POST", "/servers", name="s2", folder="/stores/s2", **listen)
    seen = api.get("/v1/servers/s2").headers["ETag"]
    planned = ask(api, "GET", "/servers/s2/removal")
    assert (planned["server"], planned["removed"], planned["copies"]) == ("s2", False, [])
    ask(api, "POST", "/servers/s2/drain")
    changed = api.delete("/v1/servers/s2", headers={"If-Match": seen})
    assert code(changed, 412) == "server-changed"
    assert ask(api, "DELETE", "/servers/s2")["removed"] is True
    assert code(api.get("/v1/servers/s2"), 404) == "server-unknown"
    assert audited(api, "server.remove") == [("ada", "127.0.0.1", "s2")]
    token = Token.parse(added["file"]["token"])
    answer = api.get("/v1/server/configuration", headers=bearer(token))
    assert code(answer, 401) == "server-removed"


def test_the_rules_of_balance_are_changed_by_one_at_a_time(api: httpx.Client) -> None:
    seen = api.get("/v1/farm/balance")
    assert seen.json()["over_percent"] == 25
    changed = api.patch("/v1/farm/balance", json={"over_percent": 40, "automatic": False})
    assert (changed.json()["over_percent"], changed.json()["automatic"]) == (40, False)
    assert changed.json()["every_seconds"] == 600
    late = api.patch(
        "/v1/farm/balance",
        json={"over_percent": 50},
        headers={"If-Match": seen.headers["ETag"]},
    )
    assert code(late, 412) == "balance-changed"
    wrong = api.patch("/v1/farm/balance", json={"over_percent": 0})
    assert code(wrong, 422) == "balance-rule-invalid"
    assert ask(api, "GET", "/farm/balance")["over_percent"] == 40
    assert [one[0] for one in audited(api, "balance.change")] == ["ada"]


def test_devices_are_bound_to_servers_of_their_subnet(api: httpx.Client) -> None:
    for path in ("/images/debian/affinity", "/collections/default/affinity"):
        assert ask(api, "GET", path) == {"format": 1, "affinity": None}
        assert ask(api, "PUT", path, affinity="fixed")["affinity"] == "fixed"
        assert ask(api, "GET", path)["affinity"] == "fixed"
        assert api.put(f"/v1{path}", json={"affinity": None}).json()["affinity"] is None
        assert ask(api, "GET", path)["affinity"] is None
        assert code(api.put(f"/v1{path}", json={"affinity": "much"}), 422) == "request-invalid"
    assert len(audited(api, "affinity.change")) == 4


def test_a_rebalance_is_seen_before_it_is_made(api: httpx.Client) -> None:
    planned = ask(api, "POST", "/servers/s1/rebalance?dry_run=true")
    assert (planned["ordered"], planned["moves"]) == (False, [])
    assert [one["code"] for one in planned["left_alone"]] == ["one-server"]
    assert audited(api, "server.rebalance") == []
    assert ask(api, "POST", "/servers/s1/rebalance")["ordered"] is True
    assert audited(api, "server.rebalance") == [("ada", "127.0.0.1", "s1")]


def test_a_device_is_given_an_image(api: httpx.Client) -> None:
    ask(api, "POST", "/devices", name="pc2", mac="52:54:00:00:00:02")
    assert ask(api, "PUT", "/devices/pc2/image", image="debian")["image"] == "debian"
    assert code(api.put("/v1/devices/pc2/image", json={"image": "none"}), 404) == "image-unknown"
    assert ask(api, "DELETE", "/devices/pc2/image")["image"] is None
    assert code(api.delete("/v1/devices/pc9/image"), 404) == "device-unknown"
    assert ("ada", "127.0.0.1", "pc2") in audited(api, "device.assign")


def test_versions_are_replicated_and_deleted(farm: SmallFarm, api: httpx.Client) -> None:
    farm.report_in()
    farm.ports.files[DISK] = b"silver" * 50_000
    farm.application.import_image(ImportRequest(image_name("debian"), DISK), Progress())
    one = "/images/debian/versions/1"
    replicated = api.post(f"/v1{one}/replicate", json={"to": ["s9"]})
    assert code(replicated, 404) == "server-unknown"
    assert api.post(f"/v1{one}/replicate", json={"to": ["s1"]}).status_code == 202
    assert ask(api, "DELETE", one)["version"] == "debian/1"
    assert code(api.delete("/v1/images/debian/versions/77"), 404) == "version-unknown"
    assert ("ada", "127.0.0.1", "debian/1") in audited(api, "version.change")


def test_the_farm_tells_of_itself(api: httpx.Client) -> None:
    told = ask(api, "GET", "/farm")
    assert (told["name"], told["servers"], told["images"], told["devices"]) == ("test", 1, 1, 1)


def test_the_reader_key_reads_and_changes_nothing(api: httpx.Client) -> None:
    key = bearer(READER)
    assert api.get("/v1/audit", headers=key).is_success
    beyond_the_calendar = api.get("/v1/audit", params={"since": 10**12}, headers=key)
    assert code(beyond_the_calendar, 422) == "request-invalid"
    assert code(api.post("/v1/servers/s1/drain", headers=key), 403) == "permission-missing"


def test_a_policy_of_copies_can_be_looked_at_before_it_is_set(
    farm: SmallFarm, api: httpx.Client
) -> None:
    farm.report_in()
    listen = {"listen": ["127.0.0.1:10812"], "chunks": "127.0.0.1:10902"}
    ask(api, "POST", "/servers", name="s2", folder="/stores/s2", **listen)
    planned = ask(api, "GET", "/stores/default/copies?copies=1")
    assert planned["goes"] == [
        {"version": "debian/1", "server": "s2", "why": "its server has not reported since"}
    ]
    assert {one["server"] for one in ask(api, "GET", "/replication")["copies"]} == {"s1", "s2"}
    assert code(api.get("/v1/stores/default/copies?copies=0"), 422) == "request-invalid"
