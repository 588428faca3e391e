"""What differs after a restore over the API, and what stream processes are told meanwhile."""

from base64 import b64encode
from pathlib import Path

import pytest

from corral.farm.application.add_server import AddedServer, NewServer
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.root import RootHash
from tests.farm_in_memory import FarmInMemory, disk
from tests.integration.http.conftest import bearer
from tests.integration.http.test_estate_api import Api, api, farm

__all__ = ["api", "farm"]

PLACE = "/v1/farm/difference"
CONFIGURATION = "/v1/server/configuration"


@pytest.fixture
def added(farm: FarmInMemory) -> AddedServer:
    return farm.application.add_server(
        NewServer(
            name=server_name("s1"),
            store_path=Path("/stores/s1"),
            listen=(Address.parse("127.0.0.1:10811"),),
            chunks_listen=Address.parse("127.0.0.1:10901"),
        )
    )


@pytest.fixture
def restored(api: Api, added: AddedServer) -> Api:
    del added
    api.farm.import_disk("debian", disk(1))
    refused = api("GET", PLACE)
    assert (refused.status_code, refused.json()["code"]) == (409, "farm-not-restored")
    api.farm.begin_to_observe()
    return api


def test_what_a_server_holds_is_shown_and_accepted(restored: Api, added: AddedServer) -> None:
    token = bearer(added.token)
    root = RootHash("2" * 64)
    signature = restored.farm.ports.farm_key.sign(root.signed_message())
    held = {
        "export": "debian/2",
        "root": root.hex,
        "signature": b64encode(signature).decode("ascii"),
        "size_bytes": 65_536,
        "standing": "production",
        "content": "disk",
        "offered": True,
        "complete": True,
    }
    report = {
        "server": "s1",
        "generation": restored.farm.generation,
        "holds": {"generation": 500, "versions": [held]},
    }
    answer = restored.client.post("/v1/server/report", json=report, headers=token)
    assert answer.status_code == 200, answer.text
    shown = restored("GET", PLACE).json()
    assert (shown["observes"], shown["waits"]) == (True, True)
    told = [(one["code"], one["object"]) for one in shown["differences"]]
    assert told == [("version-newer", "version debian/2"), ("generation-newer", "farm")]

    older = restored.client.get(CONFIGURATION, headers=token)
    assert (older.status_code, older.json()["code"]) == (503, "farm-observes")
    joining = restored.client.get(CONFIGURATION, params={"observes": True}, headers=token)
    assert joining.json()["observes"] is True
    refused = restored("POST", "/v1/servers/s1/drain", {})
    assert (refused.status_code, refused.json()["code"]) == (503, "farm-observes")

    wrong = restored("POST", PLACE, {"because": "it broke", "seen": "another"})
    assert (wrong.status_code, wrong.json()["code"]) == (412, "difference-changed")
    accepted = restored("POST", PLACE, {"because": "it broke", "seen": shown["seen"]})
    assert accepted.status_code == 200, accepted.text
    after = restored("GET", PLACE).json()
    assert (after["observes"], after["waits"], after["because"]) == (False, False, "it broke")
    assert after["accepted_by"] == "account somebody"
    configuration = restored.client.get(CONFIGURATION, headers=token).json()
    assert configuration["observes"] is False
    assert {one["name"] for one in configuration["exports"]} == {"debian/1", "debian/2"}
    again = restored("POST", PLACE, {"because": "once more"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-accept")
