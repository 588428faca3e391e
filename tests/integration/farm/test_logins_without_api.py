"""Devices start from a server's own snapshot when nothing else of the farm answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from demo.processes import free_port
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.farm.disks import write_random_disk
from tests.integration.farm.estate import DEVICE, IMAGE, Estate


class Managed:
    """A farm of one server that answers logins itself."""

    def __init__(self, estate: Estate) -> None:
        self.port = free_port()
        self.estate = estate
        corral = self.estate.corral
        corral.ask("farm", "create", "test", "--api", self.estate.api_url)
        self.estate.add_server("s1", None, "--management", f"127.0.0.1:{self.port}")
        disk = write_random_disk(estate.home / "disk.raw", 1 << 20)
        self.estate.version = corral.ask("image", "import", IMAGE, str(disk), "--server", "s1")
        mac = ("--mac", "52:54:00:00:00:01")
        added = corral.ask("device", "add", DEVICE, *mac, "--image", IMAGE)
        self.estate.key_file = Path(added["key_file"])
        self.estate.bring_up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log_in(self, device: str = DEVICE, key: str | None = None) -> httpx.Response:
        shown = self.estate.key_file.read_text().strip() if key is None else key
        return httpx.post(
            f"{self.url}/v1/devices/{device}/login",
            headers={"Authorization": f"Bearer {shown}"},
            trust_env=False,
            timeout=30,
        )

    def knows_its_devices(self) -> bool:
        try:
            health = httpx.get(f"{self.url}/v1/health", trust_env=False).json()
        except httpx.HTTPError:
            return False
        return bool(health["logins"] == 1)


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[Managed]:
    estate = Estate.at(tmp_path)
    try:
        managed = Managed(estate)
        estate.wait_for(managed.knows_its_devices, "the server got no snapshot")
        yield managed
    finally:
        estate.end()


def test_device_starts_though_nothing_but_its_server_is_left(managed: Managed) -> None:
    estate = managed.estate
    # An API that is slow to answer is as good as away.
    estate.wait_for(
        lambda: managed.log_in().raise_for_status().json()["answered_from"] is None,
        "the API was not asked",
    )

    estate.kill("api")
    estate.kill("s1")
    estate.start_stream("s1")
    estate.wait_for(managed.knows_its_devices, "the kept snapshot was not used")
    answer = managed.log_in().raise_for_status().json()
    assert answer["answered_from"] is not None
    assert answer["root"] == estate.root
    login = {"urls": [managed.url], "device": DEVICE, "key_file": str(estate.key_file)}
    client = estate.start_client("pc1-alone", {"login": login})
    assert client.read_once(estate.root).verdicts == ("ok",)


def test_what_the_snapshot_cannot_say_is_refused_with_the_reason(managed: Managed) -> None:
    managed.estate.kill("api")
    said = set()
    for device, key in (("pc9", None), ("pc9", "A" * 43), (DEVICE, "A" * 43)):
        refused = managed.log_in(device, key)
        assert (refused.status_code, refused.json()["code"]) == (503, "login-awaits-farm")
        said.add(refused.text.replace(device, "NAME"))
    assert len(said) == 1
    malformed = httpx.post(
        f"{managed.url}/v1/devices/{DEVICE}/login", content=b"{", trust_env=False, timeout=30
    )
    assert (malformed.status_code, malformed.json()["code"]) == (422, "request-invalid")
    endless = httpx.post(
        f"{managed.url}/v1/devices/{DEVICE}/login",
        content=b" " * 100_000,
        trust_env=False,
        timeout=30,
    )
    assert (endless.status_code, endless.json()["code"]) == (413, "request-too-large")


def test_a_forged_snapshot_is_not_believed(managed: Managed) -> None:
    estate = managed.estate
    estate.kill("api")
    estate.kill("s1")
    file = estate.servers["s1"].file.with_name("s1.logins.json")
    kept = json.loads(file.read_bytes())
    kept["snapshot"] = kept["snapshot"].replace("127.0.0.1", "127.0.0.2")
    file.write_text(json.dumps(kept))
    estate.start_stream("s1")

    def answers() -> bool:
        try:
            return managed.log_in().status_code > 0
        except httpx.HTTPError:
            return False

    estate.wait_for(answers, "the server does not listen")
    assert managed.log_in().json()["code"] == "login-awaits-farm"
    assert "logins-unusable" in estate.log_of("s1")


def test_metrics_of_a_stream_process_are_for_the_reader(managed: Managed) -> None:
    client = managed.estate.start_client("pc1-metrics")
    client.read_once(managed.estate.root)
    url = f"{managed.url}/metrics"
    assert httpx.get(url, trust_env=False, timeout=30).status_code == 401
    reader = (managed.estate.corral.farm / "reader.key").read_text().strip()
    authorized = {"Authorization": f"Bearer {reader}"}
    answer = httpx.get(url, headers=authorized, trust_env=False, timeout=30)
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["corral_stream_reads_total"] > 0
    assert found["corral_stream_read_seconds_bucket"] >= 0
    assert found["corral_stream_sessions"] >= 1
