"""The estate over the API: what is read and changed, by whom, and what the second is told."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_site import NewSite
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.take_server_report import ServerReport
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.permission import Grant, Permission, Rights, Role
from corral.farm.domain.access.token import Token, TokenDigest
from corral.farm.domain.estate.collection import collection_name
from corral.farm.domain.estate.scrub import ScrubPass, SeenScrub
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.estate.site import site_name
from corral.farm.entrypoints.http.app import create_app
from corral.farm.entrypoints.http.permitted import Caller, Gate
from tests.farm_in_memory import FarmInMemory, disk
from tests.integration.http.conftest import served_app

ANYBODY = Token(b"A" * 32)


class GrantingGate(Gate):
    """Lets everybody in with the same rights, whatever their key."""

    def __init__(self, farm: FarmInMemory, rights: Rights) -> None:
        super().__init__(farm.application, TokenDigest(b""))
        self.farm = farm
        self.rights = rights

    def admitted(self, key: Token, address: str, permission: Permission) -> Caller:
        del key
        self.rights.demand(permission)
        actor = Actor(ActorKind.ACCOUNT, "somebody", address)
        return Caller(actor, self.rights, permission, self.farm.application.acting_as(actor))


class Api:
    """The API of a farm in memory, asked by somebody with certain roles."""

    def __init__(self, farm: FarmInMemory, gate: GrantingGate, client: httpx.Client) -> None:
        self.farm = farm
        self.gate = gate
        self.client = client
        client.headers["Authorization"] = f"Bearer {ANYBODY.reveal()}"

    def act_as(self, *grants: Grant) -> None:
        self.gate.rights = Rights(frozenset(grants))

    def __call__(
        self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.client.request(method, path, json=body, headers=named)

    def change(self, path: str, body: dict[str, Any], match: str = "*") -> httpx.Response:
        return self("PATCH", path, body, If_Match=match)


@pytest.fixture
def farm() -> FarmInMemory:
    return FarmInMemory()


@pytest.fixture
def api(farm: FarmInMemory) -> Iterator[Api]:
    gate = GrantingGate(farm, Rights(frozenset({Grant(Role.FARM_ADMINISTRATOR)})))
    app = create_app(farm.application, TokenDigest(b""))
    app.state.gate = gate
    with served_app(app) as client:
        yield Api(farm, gate, client)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_site_from_its_beginning_to_its_end(api: Api) -> None:
    made = api("POST", "/v1/sites", {"name": "basel", "subnets": ["192.0.2.0/24"]})
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert made.json()["subnets"] == ["192.0.2.0/24"]
    changed = api.change("/v1/sites/basel", {"description": "by the Rhine"}, made.headers["ETag"])
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert changed.json()["subnets"] == ["192.0.2.0/24"], "what is not named stays"
    late = api.change("/v1/sites/basel", {"description": "late"}, made.headers["ETag"])
    assert refused(late) == (412, "site-changed")
    assert "Retry-After" not in late.headers
    overlapping = api("POST", "/v1/sites", {"name": "bern", "subnets": ["192.0.0.0/16"]})
    assert refused(overlapping) == (422, "subnets-overlap")
    assert api("GET", "/v1/sites/basel").json() == changed.json()
    assert api("DELETE", "/v1/sites/basel", If_Match='"2"').status_code == 204
    assert refused(api("GET", "/v1/sites/basel")) == (404, "site-unknown")


def test_farm_is_renamed_and_reached_elsewhere(api: Api) -> None:
    shown = api("GET", "/v1/farm")
    urls = ["https://192.0.2.10:10800", "https://192.0.2.11:10800"]
    changed = api.change("/v1/farm", {"name": "works", "api_urls": urls}, shown.headers["ETag"])
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.json()["name"], changed.json()["api_urls"]) == ("works", urls)
    assert changed.json()["former_api_urls"] == shown.json()["api_urls"]
    assert changed.json()["generation"] > shown.json()["generation"]
    late = api.change("/v1/farm", {"name": "late"}, shown.headers["ETag"])
    assert refused(late) == (412, "farm-changed")
    assert refused(api.change("/v1/farm", {"api_urls": []})) == (422, "api-urls-invalid")
    assert refused(api.change("/v1/farm", {"name": "no name"})) == (422, "name-invalid")
    assert refused(api("PATCH", "/v1/farm", {"name": "late"})) == (428, "revision-missing")
    assert api("GET", "/v1/farm").json() == changed.json()


def test_change_without_what_was_seen_is_refused(api: Api) -> None:
    api("POST", "/v1/sites", {"name": "basel"})
    assert refused(api("PATCH", "/v1/sites/basel", {})) == (428, "revision-missing")
    assert refused(api("DELETE", "/v1/sites/basel")) == (428, "revision-missing")
    for match in ('"x"', '"1.5"', "nothing", '"99"'):
        assert refused(api.change("/v1/sites/basel", {}, match)) == (412, "site-changed")
    assert api.change("/v1/sites/basel", {}, 'W/"1"').status_code == 200


def test_collection_and_store_from_their_beginning_to_their_end(api: Api) -> None:
    api("POST", "/v1/sites", {"name": "basel"})
    room = api("POST", "/v1/collections", {"name": "room-1", "site": "basel"})
    assert (room.status_code, room.json()["site"]) == (201, "basel")
    moved = api.change("/v1/collections/room-1", {"site": "default", "name": "room-2"})
    assert (moved.json()["site"], moved.json()["name"]) == ("default", "room-2")
    assert api("DELETE", "/v1/collections/room-2", If_Match="*").status_code == 204
    assert refused(api("DELETE", "/v1/collections/default", If_Match="*")) == (
        409,
        "collection-permanent",
    )
    nas = api("POST", "/v1/stores", {"name": "nas", "default_path": "/srv/nas", "shared": True})
    assert (nas.status_code, nas.json()["default_path"]) == (201, "/srv/nas")
    assert refused(api.change("/v1/stores/nas", {"default_path": "nas"})) == (
        422,
        "store-path-invalid",
    )
    cleared = api.change("/v1/stores/nas", {"default_path": None}).json()
    assert (cleared["default_path"], cleared["shared"]) == (None, True)
    assert api("GET", "/v1/stores/nas").json() == cleared
    assert api("DELETE", "/v1/stores/nas", If_Match="*").status_code == 204


def test_scrub_of_a_store_is_set_with_what_was_seen(api: Api) -> None:
    seen = api("GET", "/v1/stores/default")
    assert seen.json()["scrub"] == {"format": 1, "rate": 8 << 20, "every_seconds": 14 * 86_400}
    path, tag = "/v1/stores/default/scrub", seen.headers["ETag"]
    wanted = {"rate": 1 << 30, "every_seconds": 86_400}
    changed = api("PUT", path, wanted, If_Match=tag)
    assert (changed.status_code, changed.json()) == (200, {"format": 1, **wanted})
    late = api("PUT", path, {"rate": 0, "every_seconds": 86_400}, If_Match=tag)
    assert refused(late) == (412, "store-changed")
    assert api("PUT", path, {"rate": 0}, If_Match="*").json()["every_seconds"] == 14 * 86_400
    for body, code in (
        ({"rate": 5}, "rate-invalid"),
        ({"every_seconds": 1}, "scrub-interval-invalid"),
    ):
        assert refused(api("PUT", path, body, If_Match="*")) == (422, code)
    assert refused(api("PUT", "/v1/stores/nowhere/scrub", {}, If_Match="*")) == (
        404,
        "store-unknown",
    )


def test_scrub_of_a_server_is_shown_as_it_was_reported(api: Api) -> None:
    server = api.farm.add_server("s1")
    assert api("GET", "/v1/servers/s1").json()["scrub"] is None
    now = api.farm.ports.clock.now()
    seen = SeenScrub(last=ScrubPass(now, now, 5, 6, 2, 1), passes=1, unhealed_chunks=1)
    api.farm.application.take_server_report(
        server.id, ServerReport(api.farm.generation, scrub=seen)
    )
    shown = api("GET", "/v1/servers/s1").json()["scrub"]
    assert shown["last"]["finished_at"] == int(now.timestamp())
    assert (shown["unhealed_chunks"], shown["last"]["healed_chunks"]) == (1, 1)


def test_server_is_changed_and_its_limits_are_cleared(api: Api) -> None:
    api.farm.add_server("s1")
    changed = api.change(
        "/v1/servers/s1",
        {
            "power_rating": 0.1,
            "max_devices": 400,
            "max_devices_booting": 50,
            "management": "192.0.2.1:22",
            "maintenance": True,
            "addresses": ["192.0.2.1:1"],
            "subnets": ["192.0.2.0/24"],
        },
    ).json()
    assert (changed["power_rating"], changed["max_devices"]) == (0.1, 400)
    assert (changed["maintenance"], changed["management"]) == (True, "192.0.2.1:22")
    cleared = api.change("/v1/servers/s1", {"max_devices": None, "management": None}).json()
    assert (cleared["max_devices"], cleared["management"]) == (None, None)
    assert cleared["max_devices_booting"] == 50
    for number in (0, 0.05, 1000.5, 1e9):
        answer = api.change("/v1/servers/s1", {"power_rating": number})
        assert refused(answer) == (422, "rating-out-of-range")
    assert refused(api.change("/v1/servers/s1", {"max_devices": 0})) == (422, "limit-out-of-range")


def test_device_is_registered_changed_and_removed(api: Api) -> None:
    made = api("POST", "/v1/devices", {"name": "pc1", "mac": "52:54:00:00:00:01", "type": "test"})
    assert made.status_code == 201
    key = Token.parse(made.json()["key"])
    assert api.farm.application.recognise_device(
        api.farm.application.show_device(made.json()["device"]["name"]).device.name, key
    ) == UUID(made.json()["device"]["id"])
    twice = api("POST", "/v1/devices", {"name": "pc2", "mac": "52-54-00-00-00-01"})
    assert refused(twice) == (409, "mac-taken")
    changed = api.change("/v1/devices/pc1", {"disabled": True, "description": "x"}).json()
    assert (changed["disabled"], changed["type"]) == (True, "test")
    assert refused(api.change("/v1/devices/pc1", {"type": "x"})) == (422, "device-type-invalid")
    login = api("POST", "/v1/devices/pc1/login", Authorization=f"Bearer {key.reveal()}")
    assert refused(login) == (409, "device-disabled")
    assert refused(api("DELETE", "/v1/devices/pc1", If_Match='"1"')) == (412, "device-changed")
    assert api("DELETE", "/v1/devices/pc1", If_Match="*").status_code == 204


def test_table_of_devices_is_tried_told_and_registered(api: Api) -> None:
    path, good = "/v1/devices/import", "name,mac\npc1,52:54:00:00:00:01\n"
    tried = api("POST", path, {"table": good, "dry_run": True}).json()
    assert (tried["lines"], tried["registered"], tried["bad"]) == (1, [], [])
    bad = api("POST", path, {"table": good + "pc2,52:54:00:00:00:01\n"}).json()
    assert [(one["line"], one["name"], one["code"]) for one in bad["bad"]] == [
        (3, "pc2", "mac-taken")
    ]
    assert bad["registered"] == []
    done = api("POST", path, {"table": good}).json()
    assert [one["name"] for one in done["registered"]] == ["pc1"]
    assert refused(api("POST", path, {"table": "x"})) == (422, "device-table-invalid")


def test_series_of_devices_is_tried_told_and_registered(api: Api) -> None:
    path, wish = "/v1/devices/series", {"names": "pc[1-2]", "first_mac": "52:54:00:00:00:01"}
    tried = api("POST", path, wish | {"dry_run": True}).json()
    assert (tried["lines"], tried["registered"], tried["bad"]) == (2, [], [])
    done = api("POST", path, wish).json()
    assert [one["name"] for one in done["registered"]] == ["pc1", "pc2"]
    assert len({one["key"] for one in done["registered"]}) == 2
    bad = api("POST", path, wish | {"names": "pc[2-3]"}).json()
    assert {one["code"] for one in bad["bad"]} == {"device-name-taken", "mac-taken"}
    assert refused(api("POST", path, wish | {"names": "pc"})) == (422, "device-series-invalid")


LISTS = [
    ("/v1/sites", "sites"),
    ("/v1/collections", "collections"),
    ("/v1/servers", "servers"),
    ("/v1/stores", "stores"),
    ("/v1/images", "images"),
    ("/v1/versions", "versions"),
    ("/v1/replicas", "replicas"),
    ("/v1/devices", "devices"),
    ("/v1/sessions", "sessions"),
]


@pytest.fixture
def full(farm: FarmInMemory) -> FarmInMemory:
    """Two of everything."""
    for number in (1, 2):
        server = farm.add_server(f"s{number}")
        farm.application.add_site(NewSite(site_name(f"site-{number}")))
        farm.application.add_collection(
            NewCollection(collection_name(f"room-{number}"), site_name(f"site-{number}"))
        )
        version = farm.import_disk(f"image-{number}", disk(number)).version
        device = farm.add_device(f"pc{number}", f"image-{number}")
        farm.report(server, holds=(version,), sessions=((device, version),))
    return farm


@pytest.mark.parametrize(("path", "what"), LISTS)
def test_every_list_is_paged_filtered_and_sorted(
    api: Api, full: FarmInMemory, path: str, what: str
) -> None:
    del full
    whole = api("GET", path).json()
    assert (len(whole[what]), whole["next"]) == (whole["total"], None)
    walked: list[Any] = []
    after: str | None = None
    while True:
        page = api("GET", f"{path}?limit=1" + (f"&after={after}" if after else "")).json()
        assert (len(page[what]), page["total"]) == (1, whole["total"])
        walked += page[what]
        after = page["next"]
        if after is None:
            break
    assert walked == whole[what]
    for query, code in (
        ("filter=colour%3Dred", "filter-invalid"),
        ("sort=colour", "sort-invalid"),
        ("after=x", "cursor-invalid"),
        ("limit=0", "page-limit-invalid"),
    ):
        assert refused(api("GET", f"{path}?{query}")) == (422, code)


def test_lists_are_filtered_and_sorted(api: Api, full: FarmInMemory) -> None:
    del full
    found = api("GET", "/v1/devices?filter=image%3Dimage-2&filter=site%3Ddefault").json()
    assert [one["name"] for one in found["devices"]] == ["pc2"]
    found = api("GET", "/v1/versions?sort=-name").json()
    assert [one["name"] for one in found["versions"]] == ["image-2/1", "image-1/1"]
    found = api("GET", "/v1/replicas?filter=state%3Dcomplete").json()
    assert {one["server"] for one in found["replicas"]} <= {"s1", "s2"}
    found = api("GET", "/v1/sessions?filter=device%3Dpc1").json()
    assert [one["server"] for one in found["sessions"]] == ["s1"]


def test_administrator_of_a_site_sees_and_changes_no_other(api: Api, full: FarmInMemory) -> None:
    one = full.application.show_site(site_name("site-1")).site
    full.application.change_server(server_name("s1"), ServerEdit(site=one.name))
    api.change("/v1/devices/pc1", {"collection": "room-1"})
    api.act_as(Grant(Role.SITE_ADMINISTRATOR, site=one.id))
    for path, what, names in (
        ("/v1/sites", "sites", ["site-1"]),
        ("/v1/collections", "collections", ["room-1"]),
        ("/v1/servers", "servers", ["s1"]),
        ("/v1/devices", "devices", ["pc1"]),
    ):
        answer = api("GET", path).json()
        assert [thing["name"] for thing in answer[what]] == names
        assert answer["total"] == len(names)
    assert api.change("/v1/servers/s1", {"description": "x"}).status_code == 200
    assert api.change("/v1/devices/pc1", {"description": "x"}).status_code == 200
    assert api("POST", "/v1/collections", {"name": "x", "site": "site-1"}).status_code == 201
    missing = (403, "permission-missing")
    for answer in (
        api("GET", "/v1/sites/site-2"),
        api("GET", "/v1/servers/s2"),
        api("GET", "/v1/devices/pc2"),
        api.change("/v1/sites/site-2", {"description": "x"}),
        api.change("/v1/collections/room-2", {"description": "x"}),
        api.change("/v1/servers/s2", {"description": "x"}),
        api.change("/v1/servers/s1", {"site": "site-2"}),
        api.change("/v1/devices/pc2", {"description": "x"}),
        api.change("/v1/devices/pc1", {"collection": "room-2"}),
        api.change("/v1/collections/room-1", {"site": "site-2"}),
        api("POST", "/v1/collections", {"name": "y", "site": "site-2"}),
        api("POST", "/v1/collections", {"name": "y"}),
        api("POST", "/v1/devices", {"name": "pc9", "mac": "52:54:00:00:00:99"}),
        api("POST", "/v1/devices/import", {"table": "name,mac\n"}),
        api("POST", "/v1/stores", {"name": "nas"}),
        api("DELETE", "/v1/devices/pc2", If_Match="*"),
        api("DELETE", "/v1/collections/room-2", If_Match="*"),
        api("DELETE", "/v1/sites/site-1", If_Match="*"),
    ):
        assert refused(answer) == missing, answer.request


def test_administrator_of_a_collection_registers_devices_there_only(
    api: Api, full: FarmInMemory
) -> None:
    room = full.application.show_collection(collection_name("room-1")).collection
    api.act_as(Grant(Role.COLLECTION_ADMINISTRATOR, collection=room.id))
    wanted = {"name": "pc9", "mac": "52:54:00:00:00:99", "collection": "room-1"}
    assert api("POST", "/v1/devices", wanted).status_code == 201
    assert [one["name"] for one in api("GET", "/v1/devices").json()["devices"]] == ["pc9"]
    assert refused(api("GET", "/v1/devices/pc1")) == (403, "permission-missing")
