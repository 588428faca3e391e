"""What devices, servers and people's tools get from the API."""

import base64
import json
import socket
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from demo.processes import wait_until

from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.access.token import Token
from corral.farm.domain.delivery.device import MacAddress, device_name
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.entrypoints.http.admission import Limits
from corral.farm.entrypoints.http.openapi import description
from corral.wire.estate import DeviceList, ServerList
from corral.wire.listing import Health, ImageList, SessionList
from corral.wire.login import LoginAnswer, LoginRequest
from corral.wire.problem import Problem
from corral.wire.server import (
    ReplicaReport,
    ReplicaState,
    ServerConfiguration,
    ServerReport,
    SessionReport,
)
from tests.integration.http.conftest import DISK, READER, SmallFarm, bearer, served

LOGIN = "/v1/devices/pc1/login"
CONFIGURATION = "/v1/server/configuration"
REPORT = "/v1/server/report"
STRANGER = Token(b"S" * 32)


def problem_of(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == answer.status_code
    return problem


def test_a_device_learns_what_it_streams_and_from_where(farm: SmallFarm, api: httpx.Client) -> None:
    farm.report_in()
    answer = api.post(LOGIN, headers=bearer(farm.device_key))
    assert answer.status_code == 200
    login = LoginAnswer.model_validate_json(answer.content)
    assert (login.device, login.export, login.root) == ("pc1", "debian/1", farm.version.root.hex)
    assert [(one.name, one.addresses) for one in login.servers] == [("s1", ("127.0.0.1:10811",))]
    ticket = base64.urlsafe_b64decode(login.ticket + "==")
    assert (len(ticket), ticket[0], ticket[1], ticket[2:34].hex()) == (122, 1, 1, login.root)


def test_a_running_device_renews_for_its_own_root(farm: SmallFarm, api: httpx.Client) -> None:
    farm.report_in()
    key = bearer(farm.device_key)
    started = LoginAnswer.model_validate_json(api.post(LOGIN, headers=key).content)
    farm.ports.files[DISK] = b"silver" * 50_000
    farm.application.import_image(ImportRequest(image_name("debian"), DISK), Progress())
    request = LoginRequest(running=started.root)
    headers = {**key, "Content-Type": "application/json"}
    renewed = LoginAnswer.model_validate_json(
        api.post(LOGIN, headers=headers, content=request.model_dump_json()).content
    )
    assert (renewed.export, renewed.root) == ("debian/1", started.root)
    ticket = base64.urlsafe_b64decode(renewed.ticket + "==")
    assert ticket[2:34].hex() == started.root
    for body in (None, {"format": 1}):  # it starts again
        answer = api.post(LOGIN, headers=key, json=body) if body else api.post(LOGIN, headers=key)
        assert LoginAnswer.model_validate_json(answer.content).export == "debian/2"


def test_a_root_that_the_device_was_not_given_is_refused(
    farm: SmallFarm, api: httpx.Client
) -> None:
    farm.report_in()
    body = {"format": 1, "running": "ab" * 32}
    answer = api.post(LOGIN, headers=bearer(farm.device_key), json=body)
    assert (answer.status_code, problem_of(answer).code) == (404, "running-version-unknown")
    body["running"] = "AB" * 32
    answer = api.post(LOGIN, headers=bearer(farm.device_key), json=body)
    assert (answer.status_code, problem_of(answer).code) == (422, "request-invalid")


def test_an_unknown_device_and_a_wrong_key_get_the_same_answer(
    farm: SmallFarm, api: httpx.Client
) -> None:
    farm.report_in()
    wrong_key = api.post(LOGIN, headers=bearer(STRANGER))
    unknown = api.post("/v1/devices/nobody/login", headers=bearer(STRANGER))
    assert problem_of(wrong_key).code == "token-wrong"
    assert (wrong_key.status_code, wrong_key.content) == (unknown.status_code, unknown.content)
    assert wrong_key.headers["www-authenticate"].startswith("Bearer")


def test_the_key_of_another_device_is_refused_as_such(farm: SmallFarm, api: httpx.Client) -> None:
    other = farm.application.register_device(
        device_name("pc2"), MacAddress.parse("52:54:00:00:00:02")
    )
    key = farm.ports.secret_files.written[other.key_file]
    answer = api.post(LOGIN, headers=bearer(key))
    assert (answer.status_code, problem_of(answer).code) == (401, "device-identity")
    refused = AuditFilter(what="device.identity-refused")
    wait_until(lambda: bool(farm.application.list_audit(refused)), 30, "nobody noted it")
    (entry,) = farm.application.list_audit(refused)
    assert (entry.entry.actor.name, entry.entry.thing) == ("pc2", "pc1")
    assert entry.entry.actor.where == "127.0.0.1"


def test_a_login_without_a_key_is_told_what_is_missing(api: httpx.Client) -> None:
    answer = api.post(LOGIN)
    assert (answer.status_code, problem_of(answer).code) == (401, "bearer-missing")


def test_a_device_waits_while_no_server_is_ready_for_it(farm: SmallFarm, api: httpx.Client) -> None:
    answer = api.post(LOGIN, headers=bearer(farm.device_key))
    assert (answer.status_code, problem_of(answer).code) == (503, "no-server-for-version")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_device_without_an_image_is_refused(farm: SmallFarm, api: httpx.Client) -> None:
    mac = MacAddress.parse("52:54:00:00:00:02")
    lone = farm.application.register_device(device_name("pc2"), mac)
    key = farm.ports.secret_files.written[lone.key_file]
    answer = api.post("/v1/devices/pc2/login", headers=bearer(key))
    assert (answer.status_code, problem_of(answer).code) == (409, "device-unassigned")


def test_a_server_gets_its_configuration_until_it_has_it(
    farm: SmallFarm, api: httpx.Client
) -> None:
    token = bearer(farm.server_token)
    first = api.get(CONFIGURATION, headers=token)
    wanted = ServerConfiguration.model_validate_json(first.content)
    assert [(one.name, one.root) for one in wanted.exports] == [("debian/1", farm.version.root.hex)]
    assert base64.b64decode(wanted.exports[0].signature) == farm.version.signature
    assert wanted.draining is False

    again = api.get(CONFIGURATION, headers={**token, "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")

    farm.application.drain_server(server_name("s1"))
    changed = api.get(CONFIGURATION, headers={**token, "If-None-Match": first.headers["etag"]})
    after = ServerConfiguration.model_validate_json(changed.content)
    assert after.draining
    assert after.generation > wanted.generation


def test_a_device_key_does_not_open_a_server_configuration(
    farm: SmallFarm, api: httpx.Client
) -> None:
    answer = api.get(CONFIGURATION, headers=bearer(farm.device_key))
    assert (answer.status_code, problem_of(answer).code) == (401, "token-wrong")


def test_what_a_server_reports_is_shown_to_people(farm: SmallFarm, api: httpx.Client) -> None:
    device = farm.device.device
    report = ServerReport(
        server="s1",
        generation=farm.application.show_farm().farm.generation,
        replicas=(
            ReplicaReport(root=farm.version.root.hex, state=ReplicaState.COMPLETE, done_bytes=7),
        ),
        sessions=(
            SessionReport(
                subject=device.id,
                export="debian/1",
                address="192.0.2.7:40000",
                connected_at=1_767_225_600,
                sent_bytes=4096,
            ),
            SessionReport(
                subject=UUID(int=99),
                export="debian/1",
                address="unix",
                connected_at=1_767_225_601,
                sent_bytes=0,
            ),
        ),
        counters={"reads": 12},
        store_free_bytes=1 << 30,
    )
    answer = api.post(
        REPORT,
        content=report.model_dump_json(),
        headers={**bearer(farm.server_token), "Content-Type": "application/json"},
    )
    assert answer.status_code == 200

    sessions = SessionList.model_validate_json(
        api.get("/v1/sessions", headers=bearer(READER)).content
    ).sessions
    assert [(one.device, one.sent_bytes) for one in sessions] == [("pc1", 4096), (None, 0)]
    (server,) = ServerList.model_validate_json(
        api.get("/v1/servers", headers=bearer(READER)).content
    ).servers
    assert (server.state, server.sessions, server.counters) == ("online", 2, {"reads": 12})
    assert server.versions[0].done_bytes == 7


def test_damage_stands_until_a_server_that_knows_of_it_has_healed_it(
    farm: SmallFarm, api: httpx.Client
) -> None:
    before = farm.application.show_farm().farm.generation
    chunks = farm.ports.chunk_stores.stores[Path("/stores/s1")].chunks
    chunks[min(chunks)] = b"rotten"
    farm.application.verify_store(server_name("s1"), Progress())

    root = farm.version.root.hex
    generation = farm.application.show_farm().farm.generation
    answer = api.get(CONFIGURATION, headers=bearer(farm.server_token))
    (told,) = ServerConfiguration.model_validate_json(answer.content).replicas
    says = ReplicaReport(root=root, state=ReplicaState.COMPLETE)
    healed = says.model_copy(update={"healed_doubt": told.doubt})
    for known, said, expected in (
        (before, healed, ReplicaState.DAMAGED),
        (generation, says, ReplicaState.DAMAGED),
        (generation, healed, ReplicaState.COMPLETE),
    ):
        report = ServerReport(server="s1", generation=known, replicas=(said,))
        headers = {**bearer(farm.server_token), "Content-Type": "application/json"}
        assert api.post(REPORT, content=report.model_dump_json(), headers=headers).is_success
        answer = api.get("/v1/servers", headers=bearer(READER))
        (server,) = ServerList.model_validate_json(answer.content).servers
        assert server.versions[0].state is expected


def test_lists_show_images_and_devices_without_any_secret(
    farm: SmallFarm, api: httpx.Client
) -> None:
    images = api.get("/v1/images", headers=bearer(READER))
    devices = api.get("/v1/devices", headers=bearer(READER))
    (image,) = ImageList.model_validate_json(images.content).images
    assert [(one.name, one.holders[0].server) for one in image.versions] == [("debian/1", "s1")]
    (device,) = DeviceList.model_validate_json(devices.content).devices
    assert (device.name, device.version) == ("pc1", "debian/1")
    assert farm.device_key.reveal() not in devices.text


@pytest.mark.parametrize("path", ["/v1/servers", "/v1/images", "/v1/devices", "/v1/sessions"])
def test_lists_are_closed_to_devices_and_servers(
    farm: SmallFarm, api: httpx.Client, path: str
) -> None:
    assert api.get(path).status_code == 401
    for token in (farm.device_key, farm.server_token, STRANGER):
        assert api.get(path, headers=bearer(token)).status_code == 401


def test_health_needs_no_token_and_names_the_farm(api: httpx.Client) -> None:
    health = Health.model_validate_json(api.get("/v1/health").content)
    assert health.generation >= 1


def test_a_report_that_is_wrong_is_refused_without_repeating_its_values(
    farm: SmallFarm, api: httpx.Client
) -> None:
    content = {"format": 1, "server": "s1", "generation": "my-secret-token"}
    answer = api.post(REPORT, json=content, headers=bearer(farm.server_token))
    problem = problem_of(answer)
    assert (answer.status_code, problem.code) == (422, "request-invalid")
    assert problem.field("errors")[0]["at"] == "body/generation"
    assert "my-secret-token" not in answer.text


def test_a_report_of_a_format_that_is_not_known_is_refused(
    farm: SmallFarm, api: httpx.Client
) -> None:
    content = {"format": 2, "server": "s1", "generation": 1}
    answer = api.post(REPORT, json=content, headers=bearer(farm.server_token))
    assert problem_of(answer).field("errors")[0]["at"] == "body/format"


def test_a_path_that_is_not_there_is_a_problem_too(api: httpx.Client) -> None:
    assert problem_of(api.get("/v2/everything")).code == "path-unknown"
    assert problem_of(api.get(LOGIN)).code == "method-not-allowed"


def test_a_body_beyond_the_limit_is_refused_said_or_unsaid(farm: SmallFarm) -> None:
    with served(farm, Limits(body_bytes=1000)) as api:
        said = api.post(REPORT, content=b"x" * 1001, headers=bearer(farm.server_token))
        unsaid = api.post(REPORT, content=iter([b"x" * 600] * 2), headers=bearer(farm.server_token))
    for answer in (said, unsaid):
        assert (answer.status_code, problem_of(answer).code) == (413, "request-too-large")


def test_a_body_that_does_not_come_is_not_waited_for_long(farm: SmallFarm) -> None:
    with served(farm, Limits(body_seconds=0.05)) as api:
        url = api.base_url
        with socket.create_connection((url.host, url.port or 0)) as slow:
            slow.sendall(f"POST {REPORT} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n".encode())
            assert slow.recv(12) == b"HTTP/1.1 408"


def test_a_flood_of_logins_is_bounded_and_others_are_served(farm: SmallFarm) -> None:
    farm.report_in()
    limits = Limits(logins_in_a_burst=3, logins_per_second=0.001)
    with served(farm, limits) as api:
        key = bearer(farm.device_key)
        codes = [api.post(LOGIN, headers=key).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        refused = api.post(LOGIN, headers=key)
        assert problem_of(refused).code == "login-flood"
        assert int(refused.headers["retry-after"]) >= 1
        assert api.get("/v1/health").status_code == 200


def test_the_description_in_the_documentation_is_in_step() -> None:
    kept = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"
    message = "run: python -m corral.farm.entrypoints.http.openapi > docs/reference/openapi.json"
    assert kept.read_text("utf-8") == description(), message
    assert json.loads(description())["info"]["version"] == "1"
