"""What cannot be right is found or refused over the API."""

import httpx
import pytest

from corral.farm.application.grant_role import WantedRole
from corral.farm.domain.access.account import account_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.permission import Role
from corral.wire.server import ServerReport
from tests.integration.http.conftest import SmallFarm, bearer

PASSWORD = "correct horse battery"  # noqa: S105 - nobody's


def checked(api: httpx.Client) -> dict[str, str]:
    signed_in = api.post("/v1/sign-in", json={"account": "ada", "password": PASSWORD}).json()
    key = {"Authorization": f"Bearer {signed_in['token']}"}
    found = api.get("/v1/farm/check", headers=key).raise_for_status().json()["findings"]
    return {one["code"]: one["object"] for one in found}


@pytest.mark.parametrize("off", [-600, 600])
def test_a_clock_that_is_ten_minutes_off_is_found(
    farm: SmallFarm, api: httpx.Client, off: int
) -> None:
    farm.application.add_account(account_name("ada"), Password(PASSWORD))
    farm.application.grant_role(WantedRole(Role.FARM_ADMINISTRATOR, account=account_name("ada")))
    farm.report_in()
    assert "clock-wrong" not in checked(api)
    report = ServerReport(
        server="s1",
        generation=farm.application.show_farm().farm.generation,
        sent_at=farm.ports.clock.now().timestamp() + off,
    )
    answer = api.post(
        "/v1/server/report",
        content=report.model_dump_json(),
        headers={**bearer(farm.server_token), "Content-Type": "application/json"},
    )
    assert answer.is_success, answer.text
    assert checked(api)["clock-wrong"] == "server s1"
