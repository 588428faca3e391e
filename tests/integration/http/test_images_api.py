"""Images over the API: who may start a version, what devices write, and who may say so."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from corral.farm.application.take_server_report import ReportedOverlay, ServerReport
from corral.farm.domain.access.permission import Grant, Rights, Role
from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.overlay import OverlayCondition
from corral.farm.domain.image.root import RootHash
from corral.farm.entrypoints.http.app import create_app
from tests.farm_in_memory import FarmInMemory, disk
from tests.integration.http.conftest import served_app
from tests.integration.http.test_estate_api import Api, GrantingGate, refused

DEBIAN = "/v1/images/debian"
ROOT = "cd" * 32


@pytest.fixture
def farm() -> FarmInMemory:
    return FarmInMemory()


@pytest.fixture(name="server", autouse=True)
def _server(farm: FarmInMemory) -> Server:
    server = farm.add_server("s1")
    versions = [farm.import_disk("debian", disk(filling)).version for filling in (1, 2)]
    farm.add_device("pc1", "debian")
    farm.report(server, holds=tuple(versions))
    return server


@pytest.fixture
def api(farm: FarmInMemory) -> Iterator[Api]:
    rights = Rights(frozenset({Grant(Role.FARM_ADMINISTRATOR)}))
    gate = GrantingGate(farm, rights)
    app = create_app(farm.application, TokenDigest(b""))
    app.state.gate = gate
    with served_app(app) as client:
        yield Api(farm, gate, client)


def report(farm: FarmInMemory, server: Server, sealed: RootHash | None = None) -> None:
    condition = OverlayCondition.READY if sealed is None else OverlayCondition.SEALED
    wanted = farm.application.configure_server(server.id)
    farm.application.take_server_report(
        server.id,
        ServerReport(
            generation=wanted.generation,
            overlays=tuple(
                ReportedOverlay(one.overlay.id, condition, 4096, sealed_root=sealed)
                for one in wanted.overlays
            ),
        ),
    )


def test_an_image_goes_when_its_last_version_is_gone(api: Api) -> None:
    api.farm.import_disk("fedora", disk(3))
    fedora = "/v1/images/fedora"
    shown = api("GET", fedora)
    assert refused(api("DELETE", fedora, If_Match="*")) == (409, "image-in-use")
    assert refused(api("DELETE", fedora)) == (428, "revision-missing")
    assert api("DELETE", f"{fedora}/versions/1").status_code == 200
    assert refused(api("DELETE", fedora, If_Match='"9"')) == (412, "image-changed")
    gone = api("DELETE", fedora, If_Match=shown.headers["ETag"])
    assert gone.status_code == 204
    assert refused(api("GET", fedora)) == (404, "image-unknown")


def test_a_version_is_moved_by_who_saw_it_last(api: Api) -> None:
    version = f"{DEBIAN}/versions/2"
    seen = api("GET", version)
    assert (seen.json()["standing"], seen.json()["starting"]) == ("production", ["pc1"])
    etag = seen.headers["ETag"]
    assert api("POST", f"{version}/revert", {"to": "test"}).status_code == 428
    back = api("POST", f"{version}/revert", {"to": "test"}, If_Match=etag)
    assert back.json()["standing"] == "test"
    late = api("POST", f"{version}/retire", If_Match=etag)
    assert (late.status_code, late.json()["code"]) == (412, "version-changed")
    at = (api.farm.ports.clock.now() + timedelta(days=1)).isoformat()
    pending = api("POST", f"{version}/promote", {"at": at}, If_Match=back.headers["ETag"])
    assert pending.json()["waits_for"]["reason"].startswith("waits for ")
    assert api("POST", f"{version}/release", If_Match="*").json()["standing"] == "production"
    api("PATCH", version, {"description": "with Firefox"}, If_Match="*")
    lines = api("GET", f"{version}/history").json()["changes"]
    assert [line["what"] for line in lines[-4:]] == [
        "revert-to-test",
        "promote-to-production",
        "release",
        "describe",
    ]
    assert lines[-1]["by"] == "account somebody"


def test_a_moment_without_a_zone_is_no_moment(api: Api) -> None:
    path = f"{DEBIAN}/versions/2/promote"
    refused = api("POST", path, {"at": "2030-01-01T00:00:00"}, If_Match="*")
    assert (refused.status_code, refused.json()["code"]) == (422, "request-invalid")


def test_pins_and_images(api: Api) -> None:
    assert api("PUT", f"{DEBIAN}/pin", {"number": 1}).json()["pinned"] == 1
    refused = api("POST", f"{DEBIAN}/versions/1/retire", If_Match="*")
    assert (refused.status_code, refused.json()["code"]) == (409, "version-pinned")
    shown = api("DELETE", f"{DEBIAN}/pin")
    assert shown.json()["pinned"] is None
    cache = {"kind": "server", "limit_bytes": 1 << 30}
    changed = api.change(DEBIAN, {"write_cache": cache}, shown.headers["ETag"])
    assert changed.json()["write_cache"] == {**cache, "fallback": "device-ram"}
    kept = api.change(DEBIAN, {"only_server": "s1"}, changed.headers["ETag"])
    assert kept.json()["only_server"] == "s1"
    kept = api.change(DEBIAN, {"description": "kept"}, kept.headers["ETag"])
    assert kept.json()["only_server"] == "s1"
    nobody = api.change(DEBIAN, {"only_server": "s9"}, kept.headers["ETag"])
    assert (nobody.status_code, nobody.json()["code"]) == (404, "server-unknown")
    free = api.change(DEBIAN, {"only_server": None}, kept.headers["ETag"])
    assert free.json()["only_server"] is None
    late = api.change(DEBIAN, {"description": "x"}, shown.headers["ETag"])
    assert (late.status_code, late.json()["code"]) == (412, "image-changed")


def test_an_image_is_changed_by_one_device(api: Api, server: Server) -> None:
    made = api("POST", f"{DEBIAN}/maintenance", {"device": "pc1"})
    assert (made.status_code, made.json()["export"]) == (201, "debian/3@pc1")
    twice = api("POST", f"{DEBIAN}/maintenance", {"device": "pc1"})
    assert (twice.status_code, twice.json()["code"]) == (409, "maintenance-under-way")
    report(api.farm, server)
    sealing = api("POST", f"{DEBIAN}/maintenance/promote", {"to": "production"})
    assert (sealing.status_code, sealing.json()["is_sealing"]) == (202, True)
    report(api.farm, server, RootHash(ROOT))
    version = api("GET", f"{DEBIAN}/versions/3").json()
    assert (version["root"], version["standing"]) == (ROOT, "production")
    gone = api("DELETE", f"{DEBIAN}/maintenance")
    assert (gone.status_code, gone.json()["code"]) == (404, "maintenance-unknown")


def test_a_device_writes_where_it_is_told(api: Api, server: Server) -> None:
    put = api("PUT", "/v1/devices/pc1/write-cache", {"kind": "server-persistent"})
    assert put.status_code == 204
    device = api.farm.application.list_devices()[0].device
    with pytest.raises(Exception, match="makes room"):
        api.farm.application.log_device_in(device.id)
    report(api.farm, server)
    (overlay,) = api("GET", DEBIAN).json()["overlays"]
    assert (overlay["kind"], overlay["state"]) == ("server-persistent", "ready")
    given_up = api("DELETE", "/v1/devices/pc1/overlays").json()["overlays"]
    assert [one["export"] for one in given_up] == ["debian/2@pc1"]
    assert api("DELETE", "/v1/devices/pc1/write-cache").status_code == 204


def test_an_operator_of_a_collection_changes_no_image(api: Api) -> None:
    api.act_as(Grant(Role.FARM_READER))
    assert api("GET", DEBIAN).status_code == 200
    for method, path, body in (
        ("PUT", f"{DEBIAN}/pin", {"number": 1}),
        ("POST", f"{DEBIAN}/maintenance", {"device": "pc1"}),
        ("DELETE", "/v1/devices/pc1/overlays", None),
    ):
        refused = api(method, path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission-missing")
