"""Rollouts and given kits over the API."""

from pathlib import Path
from typing import Any

import pytest

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.progress import Progress
from corral.farm.domain.access.permission import Grant, Role
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.estate.collection import (
    FIRST_COLLECTION,
    CollectionId,
    collection_name,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import Access
from corral.farm.domain.library.item import ItemKind
from corral.farm.domain.library.kit import publisher_name
from tests.farm_in_memory import disk
from tests.integration.http.test_estate_api import Api, api, farm
from tests.kits import ENGINE, Signer, kit
from tests.unit.farm.application.computing import Laptop

__all__ = ["api", "farm"]

TERMS: dict[str, Any] = {
    "waves": [
        {"name": "test", "ring": ["pc0"], "gate": {"soak_seconds": 0}},
        {"name": "all", "upto_percent": 100},
    ]
}


@pytest.fixture
def fleet(api: Api) -> Api:
    """A farm with two computers, versions 1 in production and 2 in test, and a kit."""
    api.act_as(Grant(Role.FARM_ADMINISTRATOR))
    server = api.farm.add_server("s1")
    path = Path("/disks/debian")
    for number, to in ((1, Access.PRODUCTION), (2, Access.TEST)):
        api.farm.ports.files[path] = disk(number)
        request = ImportRequest(image_name("debian"), path, to=to)
        api.farm.application.import_image(request, Progress())
        api.farm.report(server)
    for name in ("pc0", "pc1"):
        laptop = Laptop(api.farm, name)
        laptop.register(f"user-of-{name}")
        laptop.assign("debian")
        laptop.check_in()
    api.farm.application.trust_publisher(publisher_name("acme"), Signer().public_key)
    for release in ("4.5", "5.0"):
        kits = Path(f"/import/{release}")
        manifest = {**ENGINE, "release": release, "upgrades": {"oldest": "1.0", "back_to": "1.0"}}
        api.farm.ports.files[kits] = kit(release=manifest)
        api.farm.application.import_into_library(LibraryRequest(kits, ItemKind.KIT), Progress())
    return api


def started(fleet: Api, **changes: object) -> dict[str, Any]:
    body = {"name": "two", "version": "debian/2", "terms": TERMS, **changes}
    answer = fleet("POST", "/v1/rollouts", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_rollout_is_planned_started_and_shown(fleet: Api) -> None:
    body = {"name": "two", "version": "debian/2", "terms": TERMS}
    planned = fleet("POST", "/v1/rollouts/plan", body).json()
    assert planned["waves"] == [
        {"name": "test", "machines": ["pc0/user-of-pc0"]},
        {"name": "all", "machines": ["pc1/user-of-pc1"]},
    ]
    assert fleet("GET", "/v1/rollouts").json()["total"] == 0
    shown = started(fleet)
    assert (shown["rollout"]["state"], shown["rollout"]["of"]) == ("running", "debian/2")
    first, second = shown["members"]
    by_computer = {one["computer"]: one for one in (first, second)}
    assert by_computer["pc0"]["why_not"] == ""
    assert by_computer["pc1"]["why_not"] == "gate-inconclusive"
    assert by_computer["pc1"]["why_not_text"] == "gate-inconclusive (wave 1)"
    wave = shown["rollout"]["waves"][0]
    assert (wave["verdict"], wave["ring"], wave["soak_seconds"]) == ("inconclusive", ["pc0"], 0)
    assert wave["reasons"] == [
        "fewer have shown anything than the least sample",
        "a smaller share is proven than the least one",
    ]
    listed = fleet("GET", "/v1/rollouts?filter=state=running").json()
    assert [one["name"] for one in listed["rollouts"]] == ["two"]


def moved(fleet: Api, verb: str, body: dict[str, Any], revision: str = "*") -> Any:  # noqa: ANN401
    return fleet("POST", f"/v1/rollouts/two/{verb}", body, If_Match=revision)


def test_it_is_paused_resumed_stopped_taken_back_and_forgotten(fleet: Api) -> None:
    started(fleet)
    paused = moved(fleet, "pause", {"why": "holidays"}, '"1"')
    assert (paused.json()["rollout"]["state"], paused.json()["rollout"]["why"]) == (
        "paused",
        "holidays",
    )
    late = moved(fleet, "resume", {}, '"1"')
    assert (late.status_code, late.json()["code"]) == (412, "rollout-changed")
    assert moved(fleet, "resume", {}, paused.headers["ETag"]).status_code == 200
    twice = moved(fleet, "resume", {})
    assert (twice.status_code, twice.json()["code"]) == (409, "rollout-transition")
    kept = fleet("DELETE", "/v1/rollouts/two")
    assert (kept.status_code, kept.json()["code"]) == (409, "rollout-not-over")
    assert moved(fleet, "stop", {}).json()["rollout"]["state"] == "stopped"
    assert moved(fleet, "take-back", {}).json()["rollout"]["state"] == "taken-back", "nobody had it"
    assert fleet("POST", "/v1/rollouts/two/retry", {}).json()["code"] == "rollout-stands-still"
    assert fleet("DELETE", "/v1/rollouts/two").status_code == 204
    assert fleet("GET", "/v1/rollouts/two").json()["code"] == "rollout-unknown"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"waves": [], "window": "9-17"}, "request-invalid"),
        ({"waves": [{"name": "all", "upto_percent": 100, "gates": {}}]}, "request-invalid"),
        (
            {"waves": [{"name": "all", "upto_percent": 100, "gate": {"max_failure": 1}}]},
            "request-invalid",
        ),
        (
            {"waves": [{"name": "all", "upto_percent": 100, "gate": {"max_failures": "1"}}]},
            "request-invalid",
        ),
        (
            {"waves": [{"name": "all", "upto_percent": 100, "gate": {"min_proven_percent": 101}}]},
            "gate-invalid",
        ),
        ({"waves": [{"name": "all", "upto_percent": 101}]}, "rollout-terms-invalid"),
        ({"waves": [{"name": "all"}]}, "waves-invalid"),
        ({"waves": []}, "waves-invalid"),
        ({"waves": [{"name": "x", "ring": ["nobody"]}]}, "waves-invalid"),
        (
            {"waves": [{"name": "all", "upto_percent": 100}], "health": {"boot_percent": 99}},
            "gate-invalid",
        ),
    ],
)
def test_a_brake_that_cannot_be_understood_is_refused(
    fleet: Api, terms: dict[str, Any], code: str
) -> None:
    """Nothing is ignored, and nothing begins."""
    body = {"name": "two", "version": "debian/2", "terms": terms}
    refused = fleet("POST", "/v1/rollouts", body)
    assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text
    assert fleet("GET", "/v1/rollouts").json()["total"] == 0


def test_one_thing_is_rolled_out(fleet: Api) -> None:
    for body in (
        {"name": "two"},
        {"name": "two", "version": "debian/2", "kit": "engine-5.0"},
    ):
        refused = fleet("POST", "/v1/rollouts", body)
        assert (refused.status_code, refused.json()["code"]) == (422, "rollout-terms-invalid")
    released = fleet("POST", "/v1/rollouts", {"name": "one", "version": "debian/1"})
    assert (released.status_code, released.json()["code"]) == (409, "rollout-offering-invalid")
    kits = fleet("POST", "/v1/rollouts", {"name": "kits", "kit": "engine-5.0"})
    assert kits.status_code == 201, kits.text
    assert {one["user"] for one in kits.json()["members"]} == {""}
    no_way_back = fleet("POST", "/v1/rollouts", {"name": "old", "kit": "engine-4.5"})
    assert no_way_back.json()["code"] == "rollout-busy"


def test_kits_are_given_to_computers_from_either_side(fleet: Api) -> None:
    path = "/v1/library/engine-5.0"
    assert fleet("POST", f"{path}/assign", {"computers": ["pc0"]}).status_code == 204
    rows = fleet("GET", f"{path}/computers").json()["computers"]
    assert [(one["computer"], one["assigned"], one["upgrade"]) for one in rows] == [
        ("pc0", True, "pending"),
        ("pc1", False, "none"),
    ]
    beside = fleet("GET", "/v1/computers/pc0/kits").json()["kits"]
    assert [(one["kit"], one["assigned"]) for one in beside] == [
        ("engine-4.5", False),
        ("engine-5.0", True),
    ]
    in_use = fleet("DELETE", path)
    assert (in_use.status_code, in_use.json()["code"]) == (409, "library-item-in-use")
    assert fleet("POST", f"{path}/retry", {"computer": "pc0"}).status_code == 204
    wrong = fleet("POST", f"{path}/retry", {"computer": "pc1"})
    assert (wrong.status_code, wrong.json()["code"]) == (404, "kit-assignment-unknown")
    assert fleet("POST", f"{path}/unassign", {"computers": ["pc0"]}).status_code == 204
    nobody = fleet("POST", f"{path}/assign", {"computers": []})
    assert nobody.json()["code"] == "request-invalid"


def test_who_administers_one_collection_gives_kits_there_alone(fleet: Api) -> None:
    there = fleet.farm.application.show_computer(computer_name("pc0")).collection.id
    assert there == FIRST_COLLECTION.id
    fleet.act_as(Grant(Role.COLLECTION_OPERATOR, collection=there))
    body = {"computers": ["pc0"]}
    assert fleet("POST", "/v1/library/engine-5.0/assign", body).status_code == 204
    fleet.act_as(Grant(Role.COLLECTION_OPERATOR, collection=_elsewhere(fleet)))
    refused = fleet("POST", "/v1/library/engine-5.0/assign", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission-missing")
    assert fleet("GET", "/v1/library/engine-5.0/computers").json()["computers"] == []


def _elsewhere(fleet: Api) -> CollectionId:
    """Make another collection, in which none of the computers is."""
    made = fleet.farm.application.add_collection(NewCollection(collection_name("elsewhere")))
    return made.id
