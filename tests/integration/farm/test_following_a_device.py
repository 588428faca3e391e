"""One login in the logs of every process that has to do with it."""

import json
from pathlib import Path
from typing import Any

from tests.integration.farm.estate import DEVICE, IMAGE, Estate


def lines(log: Path) -> list[dict[str, Any]]:
    """Read a log of JSON lines, the last of which may still be written."""
    whole = log.read_text().split("\n")[:-1]
    return [json.loads(line) for line in whole if line.startswith("{")]


def test_a_device_is_followed_from_its_own_log_to_that_of_the_server_it_reads_from(
    estate: Estate,
) -> None:
    client = estate.start_client("followed", options=("--log-format", "json"))
    client.read_once(estate.root)
    known = lines(client.program.log)
    (login,) = [line for line in known if line["event"] == "logged in"]
    assert (login["device"], login["version"]) == (DEVICE, f"{IMAGE}/1")
    # What comes after it goes back to it.
    assert {line["request"] for line in known if "server" in line["event"]} == {login["request"]}
    logs = client.program.log.parent
    (answered,) = [
        line
        for line in (logs / "api.log").read_text().splitlines()
        if 'event="logged in"' in line and f"request={login['request']}" in line
    ]
    device_id = answered.partition("device_id=")[2].split()[0]
    server = client.current_server()
    begun = f"device_id={device_id}"
    estate.wait_for(
        lambda: any(
            'event="stream begins"' in line and begun in line
            for line in (logs / f"{server}.log").read_text().splitlines()
        ),
        "the server does not say whose stream it is",
    )
    client.end()
