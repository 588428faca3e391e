"""The schema of the database, over the API."""

from corral.farm.domain.access.permission import Grant, Role
from corral.farm.domain.upgrade.schema import Half, ReleaseSchema, SchemaStep
from tests.integration.http.test_estate_api import Api, api, farm

__all__ = ["api", "farm"]


def test_the_api_shows_the_schema_and_changes_nothing(api: Api) -> None:
    own = api.farm.ports.schema.own
    api.farm.ports.schema.own = ReleaseSchema(
        (*own.steps, SchemaStep("0002", Half.CONTRACT, "old_names"))
    )
    api.farm.add_server("s1")
    api.act_as(Grant(Role.FARM_READER))
    shown = api("GET", "/v1/schema").json()
    assert (shown["release"], shown["standing"], shown["step"]) == ("0.1.0", "serves", "0001")
    assert shown["pending"] == [{"step": "0002", "half": "contract", "what": "old_names"}]
    assert shown["servers"] == [{"server": "s1", "release": None}]
    for way in ("expand", "contract"):
        assert api("POST", f"/v1/schema/{way}").status_code == 404
