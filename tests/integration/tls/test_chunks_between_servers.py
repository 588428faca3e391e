"""Two servers of a farm that give each other chunks, and somebody between them who listens in."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.processes import free_port

from tests.integration.tls.conftest import SecuredFarm

CHUNK = 65_536


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[SecuredFarm]:
    farm = SecuredFarm.at(tmp_path, is_heard=True)
    try:
        yield farm
    finally:
        farm.programs.stop_all()
        if farm.chunk_ear is not None:
            farm.chunk_ear.close()


def test_a_version_flows_to_another_server_and_nobody_hears_it(heard: SecuredFarm) -> None:
    ask = heard.corral.ask
    added = ask(
        *("server", "add", "s2", "--store", str(heard.home / "s2")),
        *("--listen", f"127.0.0.1:{free_port()}", "--chunks", f"127.0.0.1:{free_port()}"),
    )
    file = Path(added["file"])
    heard.start("s2", "serve", "stream", "--config", str(file), "--tls")
    heard.wait_for(heard.is_ready, "s2 did not come online, or got no certificate")

    def is_there() -> bool:
        lines = ask("replication", "status")
        return {line["server"]: line["state"] for line in lines}.get("s2") == "in step"

    heard.wait_for(is_there, "the version did not come to s2")
    assert heard.chunk_ear is not None
    said = heard.chunk_ear.heard
    assert ask("server", "show", "s1")["chunk_url"] == f"https://127.0.0.1:{heard.chunk_ear.port}"
    disk = (heard.home / "disk.raw").read_bytes()
    noise = [disk[at : at + 64] for at in range(0, 16 << 20, CHUNK)]
    assert len(said) > 16 << 20
    assert not any(block in said for block in noise)
    ticket = json.loads(file.with_name("s2.last.json").read_bytes())["replication_ticket"]
    assert ticket
    assert ticket.encode() not in said
    assert b"HTTP/1.1" not in said
