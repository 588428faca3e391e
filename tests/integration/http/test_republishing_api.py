"""Images with older guest tools over the API: which are marked, and the one action."""

import pytest

from corral.farm.adapters.memory.records import MemoryTransactions
from corral.farm.domain.access.permission import Grant, Role
from tests.contract.test_republishing import Office, be_changed
from tests.integration.http.test_estate_api import Api, api, refused

__all__ = ["api"]

PLACE = "/v1/republishing"


@pytest.fixture
def farm() -> Office:
    """It has debian and windows, with older guest tools than its release brings."""
    farm = Office(MemoryTransactions())
    farm.publish("windows", "4.0", 5)
    return farm


def test_lists_show_the_mark(api: Api) -> None:
    api.act_as(Grant(Role.FARM_READER))
    listed = api("GET", "/v1/images?filter=republish%3Dneeded&filter=name%3Ddebian").json()
    (debian,) = listed["images"]
    single = api("GET", "/v1/images/debian").json()
    for shown in (debian, single):
        assert (shown["republish_needed"], shown["newer_guest_tools"]) == (True, "5.0")
    marked = api("GET", PLACE).json()["images"]
    assert [one["image"] for one in marked] == ["debian", "windows"]
    assert marked[0] == {
        "image": "debian",
        "version": "debian/1",
        "guest_tools": "4.5",
        "newer_guest_tools": "5.0",
        "problem": None,
        "task": None,
    }


def test_one_call_republishes_all_that_can_be(api: Api, farm: Office) -> None:
    be_changed(farm)
    api.act_as(Grant(Role.FARM_ADMINISTRATOR))
    begun = api("POST", PLACE, {})
    assert begun.status_code == 202
    debian, windows = begun.json()["images"]
    assert (debian["task"], debian["problem"]["code"]) == (None, "maintenance-under-way")
    task = api("GET", f"/v1/tasks/{windows['task']}").json()
    assert (task["task"]["kind"], task["task"]["object"]) == ("republish", "windows")
    assert task["arguments"] == {"image": "windows", "to": "test"}
    again = api("POST", PLACE, {"images": ["windows"]})
    assert refused(again) == (409, "republish-under-way")
    assert refused(api("GET", f"{PLACE}?image=windows")) == (409, "republish-under-way")


def test_what_is_wrong_is_refused(api: Api) -> None:
    api.act_as(Grant(Role.FARM_ADMINISTRATOR))
    assert refused(api("POST", PLACE, {"images": ["nothing"]})) == (404, "image-unknown")
    assert api("POST", PLACE, {"to": "everybody"}).status_code == 422
    api.act_as(Grant(Role.FARM_READER))
    assert refused(api("POST", PLACE, {}))[0] == 403
