"""Users, computers and assignments over the API, as people's tools use it."""

from collections.abc import Iterator

import httpx
import pytest

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.grant_role import WantedRole
from corral.farm.domain.access.account import account_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.permission import Role
from corral.farm.domain.estate.collection import collection_name
from tests.engines import Engine, running
from tests.integration.http.conftest import READER, SmallFarm, bearer, served

PASSWORD = "correct horse battery"  # noqa: S105 - nobody's


@pytest.fixture
def admin(farm: SmallFarm) -> Iterator[httpx.Client]:
    boss = account_name("boss")
    farm.application.add_account(boss, Password(PASSWORD))
    farm.application.grant_role(WantedRole(Role.FARM_ADMINISTRATOR, boss))
    with served(farm) as client:
        client.headers["Authorization"] = f"Bearer {sign_in(client, boss)}"
        yield client


def sign_in(client: httpx.Client, name: str) -> str:
    body = {"account": name, "password": PASSWORD}
    return str(client.post("/v1/sign-in", json=body).raise_for_status().json()["token"])


def registered(admin: httpx.Client, name: str = "laptop", **code: object) -> Engine:
    """Register a computer with a code that is made over the API."""
    made = admin.post("/v1/computer-codes", json={"user": "rboston", **code}).raise_for_status()
    engine = Engine(name)
    engine.register(admin, made.json()["code"])
    return engine


def test_users_are_changed_as_they_were_seen(admin: httpx.Client) -> None:
    made = admin.post("/v1/users", json={"name": "rboston", "full_name": "Roger"})
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    path = "/v1/users/rboston"
    assert admin.patch(path, json={"full_name": "R."}).status_code == 428
    changed = admin.patch(path, json={"full_name": "R."}, headers={"If-Match": '"1"'})
    assert changed.json()["full_name"] == "R."
    stale = admin.patch(path, json={"full_name": "S."}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "user-changed")
    odd = admin.post("/v1/users", json={"name": "x", "full_name": "a\nb"})
    assert (odd.status_code, odd.json()["code"]) == (422, "full-name-invalid")
    taken = admin.post("/v1/users", json={"name": "rboston"})
    assert (taken.status_code, taken.json()["code"]) == (409, "user-name-taken")


def test_lists_of_users_filter_sort_and_page(admin: httpx.Client) -> None:
    for name in ("ada", "bob", "carl"):
        admin.post("/v1/users", json={"name": name}).raise_for_status()
    admin.post("/v1/user-groups", json={"name": "few", "members": ["ada", "carl"]})
    page = admin.get("/v1/users", params={"filter": "group=few", "sort": "-name", "limit": 1})
    assert [one["name"] for one in page.json()["users"]] == ["carl"]
    rest = admin.get(
        "/v1/users", params={"filter": "group=few", "sort": "-name", "after": page.json()["next"]}
    )
    assert ([one["name"] for one in rest.json()["users"]], rest.json()["next"]) == (["ada"], None)
    groups = admin.get("/v1/user-groups", params={"filter": "member=ada"}).json()["groups"]
    assert [one["members"] for one in groups] == [["ada", "carl"]]


def test_an_assignment_is_seen_from_all_three_sides(admin: httpx.Client) -> None:
    """S28, S64: the same relation from each side; no two of them disagree."""
    for name in ("rboston", "bsmith"):
        admin.post("/v1/users", json={"name": name, "full_name": name.title()})
    admin.post("/v1/user-groups", json={"name": "sales", "members": ["rboston"]})
    engine = registered(admin)
    admin.post("/v1/images/debian/assign", json={"groups": ["sales"]}).raise_for_status()
    (order,) = engine.check_in(admin).machines
    engine.machines = (running(order),)
    engine.check_in(admin)
    users = admin.get("/v1/images/debian/users").json()["users"]
    assert [(one["name"], one["assign"], one["by_groups"]) for one in users] == [
        ("bsmith", False, []),
        ("rboston", True, ["sales"]),
    ]
    assert users[1]["running_versions"] == users[1]["assigned_versions"] == ["1"]
    (mine,) = admin.get("/v1/users/rboston/images").json()["machines"]
    (there,) = admin.get("/v1/computers/laptop/images").json()["machines"]
    assert mine == there == users[1]["machines"][0]
    admin.post("/v1/images/debian/assign", json={"users": ["rboston"], "staged": True})
    (staged,) = admin.get("/v1/images/debian/users", params={"filter": ["staged=yes"]}).json()[
        "users"
    ]
    assert staged["name"] == "rboston"
    gone = admin.post("/v1/images/debian/unassign", json={"users": ["bsmith"]})
    assert (gone.status_code, gone.json()["code"]) == (404, "assignment-unknown")


def test_a_user_goes_only_after_their_computers(admin: httpx.Client) -> None:
    admin.post("/v1/users", json={"name": "rboston"})
    registered(admin)
    path, whatever = "/v1/users/rboston", {"If-Match": "*"}
    refused = admin.delete(path, headers=whatever)
    assert (refused.status_code, refused.json()["code"]) == (409, "user-has-computers")
    shown = admin.patch(
        "/v1/computers/laptop", json={"drop_users": ["rboston"]}, headers=whatever
    ).raise_for_status()
    assert shown.json()["users"] == []
    assert admin.delete(path, headers=whatever).status_code == 204


def test_a_computer_is_administered_with_its_revision(admin: httpx.Client) -> None:
    admin.post("/v1/users", json={"name": "rboston"})
    engine = registered(admin)
    shown = admin.get("/v1/computers/laptop")
    etag = {"If-Match": shown.headers["ETag"]}
    assert shown.json()["engine"]["release"] == "1.0.0"
    edit = {"rate": 1 << 20, "windows": [{"between": "18:00-06:00", "rate": 1 << 24}]}
    changed = admin.patch("/v1/computers/laptop", json=edit, headers=etag).raise_for_status()
    orders = engine.check_in(admin)
    assert (orders.rate, orders.windows[0].between) == (1 << 20, "18:00-06:00")
    stale = admin.post("/v1/computers/laptop/kill", headers=etag)
    assert (stale.status_code, stale.json()["code"]) == (412, "computer-changed")
    killed = admin.post(
        "/v1/computers/laptop/kill", headers={"If-Match": changed.headers["ETag"]}
    ).raise_for_status()
    assert killed.json()["state"] == "kill-pending"
    undone = admin.post("/v1/computers/laptop/kill-undo", headers={"If-Match": "*"})
    assert undone.json()["state"] == "registered"


def test_who_has_another_collection_sees_and_reaches_nothing_here(
    farm: SmallFarm, admin: httpx.Client
) -> None:
    farm.application.add_collection(NewCollection(collection_name("theirs")))
    admin.post("/v1/users", json={"name": "rboston"})
    engine = registered(admin)
    registered(admin, "other", collection="theirs")
    admin.post("/v1/images/debian/assign", json={"users": ["rboston"]})
    engine.check_in(admin)
    app, name = farm.application, account_name("theirs")
    app.add_account(name, Password(PASSWORD))
    app.grant_role(
        WantedRole(Role.COLLECTION_ADMINISTRATOR, name, collection=collection_name("theirs"))
    )
    key = {"Authorization": f"Bearer {sign_in(admin, 'theirs')}"}
    listed = admin.get("/v1/computers", headers=key).json()["computers"]
    assert [one["name"] for one in listed] == ["other"]
    assert admin.get("/v1/users/rboston", headers=key).json()["computers"] == ["other"]
    (row,) = admin.get("/v1/images/debian/users", headers=key).json()["users"]
    assert [one["computer"] for one in row["machines"]] == ["other"]
    (mine,) = admin.get("/v1/users/rboston/images", headers=key).json()["machines"]
    assert mine["computer"] == "other"
    kill = admin.post("/v1/computers/laptop/kill", headers={**key, "If-Match": "*"})
    assert (kill.status_code, kill.json()["code"]) == (403, "permission-missing")
    moved = admin.patch(
        "/v1/computers/other",
        json={"collection": "default"},
        headers={**key, "If-Match": "*"},
    )
    assert moved.status_code == 403


def test_a_code_is_no_secret_of_any_list(admin: httpx.Client) -> None:
    admin.post("/v1/users", json={"name": "rboston"})
    made = admin.post("/v1/computer-codes", json={"user": "rboston", "uses": 2}).json()
    listed = admin.get("/v1/computer-codes")
    assert made["code"] not in listed.text
    (one,) = listed.json()["codes"]
    assert (one["id"], one["uses_left"], one["works"]) == (made["id"], 2, True)
    assert admin.delete(f"/v1/computer-codes/{made['id']}").status_code == 204
    gone = admin.delete(f"/v1/computer-codes/{made['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "registration-code-unknown")
    unfit = admin.post("/v1/computer-codes", json={"seconds": 1 << 60})
    assert (unfit.status_code, unfit.json()["code"]) == (422, "registration-code-unfit")
    audit = admin.get("/v1/audit").text
    assert made["code"] not in audit


def test_the_reader_key_reads_and_changes_nothing(farm: SmallFarm, admin: httpx.Client) -> None:
    admin.post("/v1/users", json={"name": "rboston"})
    registered(admin)
    key = bearer(READER)
    assert admin.get("/v1/computers/laptop", headers=key).is_success
    assert (
        admin.post("/v1/computers/laptop/kill", headers={**key, "If-Match": "*"}).status_code == 403
    )
