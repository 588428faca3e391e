"""The check before an upgrade, over the API."""

from urllib.parse import quote

from corral.farm.domain.access.permission import Grant, Role
from tests.integration.http.test_estate_api import Api, api, farm, refused
from tests.unit.farm.application.test_check_upgrade import Ready
from tests.unit.farm.application.upgrading import UpgradableFarm

__all__ = ["api", "farm"]


def test_the_api_says_what_the_command_says(api: Api) -> None:
    ready = Ready(api.farm)
    api.act_as(Grant(Role.FARM_READER))
    clear = api("GET", "/v1/upgrade/check?kit=farm-5.0").json()
    assert (clear["clear"], clear["now"], clear["to"]) == (True, "0.1.0", "5.0")
    ready.servers.append(api.farm.add_server("s3"))
    blocked = api("GET", "/v1/upgrade/check?kit=farm-5.0").json()
    assert not blocked["clear"]
    assert "kit-not-staged" in {one["code"] for one in blocked["hindrances"]}
    assert refused(api("GET", "/v1/upgrade/check?kit=farm-6")) == (404, "library-item-unknown")
    assert api("GET", "/v1/upgrade/check").status_code == 422


def test_an_upgrade_is_run_paused_and_taken_back_over_the_api(api: Api) -> None:
    upgradable = UpgradableFarm(api.farm)
    assert refused(api("GET", "/v1/upgrade")) == (404, "no-upgrade-under-way")
    told = api("GET", "/v1/upgrade/plan?kit=farm-5.0&first=s2").json()["text"]
    assert told.startswith("Upgrade of the farm from 0.1.0 to 5.0")
    by_hand = api("GET", "/v1/upgrade/plan?kit=farm-5.0&runbook=true").json()["text"]
    assert "corral server drain" in by_hand
    begun = api("POST", "/v1/upgrade", {"kit": "farm-5.0", "soak_seconds": 1, "first": ["s2"]})
    assert begun.status_code == 201
    status = begun.json()
    assert status["upgrade"]["state"] == "running"
    assert status["next"]["kind"] == "install"
    again = api("POST", "/v1/upgrade", {"kit": "farm-5.0"})
    assert refused(again) == (409, "upgrade-under-way")
    upgradable.until(lambda: upgradable.running[1] == "5.0")
    paused = api("POST", "/v1/upgrade/pause", {"why": "lunch"}, If_Match="*")
    assert paused.json()["upgrade"]["why"] == "lunch"
    assert paused.json()["blocked"][0]["risk"] == "upgrade-paused farm"
    late = api("POST", "/v1/upgrade/resume", {}, If_Match='"1"')
    assert refused(late) == (412, "upgrade-changed")
    assert api("POST", "/v1/upgrade/resume", {}, If_Match=paused.headers["etag"]).is_success
    assert refused(api("POST", "/v1/upgrade/finalise", {}, If_Match="*")) == (
        409,
        "upgrade-transition",
    )
    assert api("POST", "/v1/upgrade/roll-back", {"why": "slow"}, If_Match="*").is_success
    upgradable.until(lambda: upgradable.state == "rolled-back")
    listed = api("GET", "/v1/upgrade/list").json()["upgrades"]
    assert [(one["number"], one["state"], one["new"]) for one in listed] == [
        (1, "rolled-back", "5.0")
    ]


def test_a_risk_is_accepted_and_withdrawn_over_the_api(api: Api) -> None:
    risk = "computers-behind computer laptop"
    said = {"risk": risk, "until": "2026-01-20T20:00:00+01:00", "because": "it is in the cellar"}
    accepted = api("POST", "/v1/upgrade/risks", said)
    assert accepted.status_code == 201
    (one,) = api("GET", "/v1/upgrade/risks").json()["risks"]
    assert (one["risk"], one["because"], one["in_force"]) == (risk, said["because"], True)
    for wrong in ({"risk": "all"}, {"until": "2030-01-01T00:00:00Z"}, {"because": " "}):
        assert refused(api("POST", "/v1/upgrade/risks", {**said, **wrong}))[0] == 422
    without_zone = {**said, "until": "2026-01-20T20:00:00"}
    assert api("POST", "/v1/upgrade/risks", without_zone).status_code == 422
    path = f"/v1/upgrade/risks?risk={quote(risk)}"
    assert api("DELETE", path).status_code == 204
    assert refused(api("DELETE", path)) == (404, "acceptance-unknown")


def test_only_administrators_of_the_farm_upgrade_it(api: Api) -> None:
    UpgradableFarm(api.farm)
    api.act_as(Grant(Role.FARM_OPERATOR))
    assert api("POST", "/v1/upgrade", {"kit": "farm-5.0"}).status_code == 403
    assert api("GET", "/v1/upgrade/check?kit=farm-5.0").is_success
