"""``corral image maintain`` and its neighbours, as a person uses them."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.entrypoints.cli.conftest import CommandLine

from corral.farm.application.take_server_report import ReportedOverlay, ServerReport
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.overlay import OverlayCondition
from corral.farm.domain.image.root import RootHash


@pytest.fixture(name="server", autouse=True)
def _server(farm: FarmInMemory) -> Server:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    farm.add_device("pc1", "debian")
    farm.report(server, holds=(version,))
    return server


def report(  # noqa: PLR0913 - what a server may say
    farm: FarmInMemory,
    server: Server,
    condition: OverlayCondition,
    *,
    clients: int = 0,
    written: int = 7,
    sealed: RootHash | None = None,
) -> None:
    farm.application.take_server_report(
        server.id,
        ServerReport(
            generation=farm.generation,
            overlays=tuple(
                ReportedOverlay(
                    one.overlay.id, condition, written, 4096, clients, sealed_root=sealed
                )
                for one in farm.application.configure_server(server.id).overlays
            ),
        ),
    )


def test_an_update_from_maintenance_to_production(
    corral: CommandLine, farm: FarmInMemory, server: Server
) -> None:
    said = corral("image", "maintain", "debian", "--device", "pc1", "--limit", "1GiB")
    assert said.out == "pc1 writes to debian/2@pc1 on s1 from its next start on\n"
    assert "not made yet" in corral("image", "show", "debian").out
    assert "code: overlay-not-ready" in corral("device", "login", "pc1").err
    report(farm, server, OverlayCondition.READY)
    login = corral("device", "login", "pc1", "--json").json
    assert (login["export"], login["writable"]) == ("debian/2@pc1", True)
    report(farm, server, OverlayCondition.READY, clients=1)
    assert "4.0 KiB of 1.0 GiB, in use" in corral("device", "show", "pc1").out
    refused = corral("image", "promote", "debian")
    assert refused.code == 1
    assert "code: writer-on" in refused.err
    assert "pc1" in refused.err
    report(farm, server, OverlayCondition.READY, written=0)
    unchanged = corral("image", "promote", "debian")
    assert (unchanged.code, "code: nothing-written" in unchanged.err) == (1, True)
    report(farm, server, OverlayCondition.READY)
    sealing = corral("image", "promote", "debian", "--description", "new", "--json").json
    assert (sealing["phase"], sealing["server"]) == ("sealing", "s1")
    report(farm, server, OverlayCondition.SEALED, sealed=RootHash("ab" * 32))
    shown = corral("image", "show", "debian", "--json").json
    assert shown["overlays"] == []
    assert [(one["version"], one["standing"]) for one in shown["versions"]] == [
        ("debian/1", "production"),
        ("debian/2", "test"),
    ]
    assert corral("image", "promote", "debian/2").out.startswith("debian/2 is in production")


def test_maintenance_can_be_given_up(corral: CommandLine) -> None:
    assert "code: maintenance-unknown" in corral("image", "discard", "debian", "--yes").err
    corral("image", "maintain", "debian", "--device", "pc1")
    assert (
        "code: maintenance-under-way"
        in corral("image", "maintain", "debian", "--device", "pc1").err
    )
    assert corral("image", "discard", "debian", typed="n\n").code == 130
    assert corral("image", "discard", "debian", "--json").code == 2
    assert corral("image", "discard", "debian", "--yes", "--json").json["device"] == "pc1"
    assert "code: maintenance-unknown" in corral("image", "promote", "debian").err


def test_a_device_writes_where_it_is_told(
    corral: CommandLine, farm: FarmInMemory, server: Server
) -> None:
    assert (
        "server from its next start on (its own)"
        in corral("device", "set-cache", "pc1", "server", "--limit", "2GiB").out
    )
    corral("device", "login", "pc1")
    report(farm, server, OverlayCondition.FULL)
    assert corral("device", "login", "pc1", "--json").json["write_cache"] == "server"
    assert "Devices to look at" in corral("status").out
    warned = corral("status", "--json").json["warnings"]
    assert warned == [{"device": "pc1", "warning": "debian/1@pc1 on s1 is full"}]
    assert "debian/1@pc1" in corral("device", "reset-cache", "pc1").out
    assert "nothing that pc1 wrote" in corral("device", "reset-cache", "pc1").out
    assert "(its image's)" in corral("device", "set-cache", "pc1").out
    assert corral("status", "--json").json["warnings"] == []
