"""What operators get from the API: metrics, and one id for a request in every log."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from corral.farm.domain.access.token import Token
from tests.integration.http.conftest import READER, SmallFarm, bearer


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_tell_of_the_farm_and_of_the_requests(farm: SmallFarm, api: httpx.Client) -> None:
    farm.report_in()
    login = api.post("/v1/devices/pc1/login", headers=bearer(farm.device_key))
    assert login.is_success
    found = samples(api.get("/metrics", headers=bearer(READER)).text)
    assert found["corral_database_up", ()] == 1
    assert found["corral_devices", ()] == 1
    assert found["corral_device_warnings", ()] == 0
    assert found["corral_servers", (("state", "online"),)] == 1
    assert found["corral_servers", (("state", "unknown"),)] == 0
    assert found["corral_server_up", (("server", "s1"),)] == 1
    route = (("method", "POST"), ("route", "/v1/devices/{name}/login"), ("status", "200"))
    assert found["corral_http_requests_total", route] == 1


def test_metrics_tell_what_scrubs_found(farm: SmallFarm, api: httpx.Client) -> None:
    report = {
        "server": "s1",
        "generation": 0,
        "scrub": {
            "last": {
                "started_at": 1_800_000_000,
                "finished_at": 1_800_000_100,
                "total_bytes": 10,
                "checked_bytes": 11,
                "damaged_chunks": 3,
                "healed_chunks": 2,
            },
            "checked_bytes": 1 << 40,
            "damaged_chunks": 5,
            "healed_chunks": 4,
            "unhealed_chunks": 1,
        },
    }
    told = api.post("/v1/server/report", json=report, headers=bearer(farm.server_token))
    assert told.is_success, told.text
    found = samples(api.get("/metrics", headers=bearer(READER)).text)
    server = (("server", "s1"),)
    assert found["corral_scrub_checked_bytes_total", server] == 1 << 40
    assert found["corral_scrub_damaged_chunks_total", server] == 5
    assert found["corral_scrub_healed_chunks_total", server] == 4
    assert found["corral_scrub_unhealed_chunks", server] == 1
    assert found["corral_scrub_last_pass_seconds", server] == 1_800_000_100
    wanted = api.get("/v1/server/configuration", headers=bearer(farm.server_token)).json()
    assert wanted["scrub"] == {"rate": 8 << 20, "every_seconds": 14 * 86_400, "peers": []}


def test_metrics_are_not_for_everybody(api: httpx.Client) -> None:
    assert api.get("/metrics").status_code == 401
    assert api.get("/metrics", headers=bearer(Token(b"S" * 32))).status_code == 401


def test_paths_that_nobody_serves_share_one_label(api: httpx.Client) -> None:
    for number in range(5):
        api.get(f"/nobody/{number}")
    found = samples(api.get("/metrics", headers=bearer(READER)).text)
    none = (("method", "GET"), ("route", "none"), ("status", "404"))
    assert found["corral_http_requests_total", none] == 5


def test_request_keeps_its_callers_id_unless_that_is_unfit(api: httpx.Client) -> None:
    kept = api.get("/v1/health", headers={"X-Request-Id": "boot-17.a_b"})
    assert kept.headers["x-request-id"] == "boot-17.a_b"
    for unfit in ("a b", "x" * 65, "a\tb"):
        given = api.get("/v1/health", headers={"X-Request-Id": unfit}).headers["x-request-id"]
        assert given != unfit
        assert len(given) == 32


@pytest.mark.parametrize("path", ["/v1/health", "/v1/devices", "/nobody"])
def test_no_answer_is_for_a_cache_on_the_way(api: httpx.Client, path: str) -> None:
    found = api.get(path, headers=bearer(READER)).headers
    assert found.get_list("cache-control") == ["no-store"]


def test_login_is_logged_with_the_request_and_the_device(
    farm: SmallFarm, api: httpx.Client
) -> None:
    farm.report_in()
    with capture_logs(processors=[merge_contextvars]) as lines:
        answer = api.post(
            "/v1/devices/pc1/login",
            headers={**bearer(farm.device_key), "X-Request-Id": "boot-1"},
        )
    assert answer.is_success, answer.text
    (line,) = (line for line in lines if line["event"] == "logged in")
    assert line["request"] == "boot-1"
    assert line["device_id"] == str(farm.device.device.id)
