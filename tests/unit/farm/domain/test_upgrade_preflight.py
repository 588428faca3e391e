"""What has to hold before a server is disturbed."""

from datetime import timedelta

from tests.unit.farm.domain.farms import device, host, placement
from tests.unit.farm.domain.upgrades import (
    NEW,
    NEW_FARM,
    NEW_SCHEMA,
    OLD,
    OLD_FARM,
    Trial,
    farm,
    inventory,
    next_of,
    relay,
    server,
    told,
)

from corral.farm.domain.check.finding import Finding, Kind
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.inventory import SeenConsole
from corral.farm.domain.upgrade.state import UpgradeEvent

DRAIN_S1 = "drain s1"


def test_no_device_loses_its_server() -> None:
    """S1."""
    trial = Trial()
    only_here = placement([host(1), host(2), host(3)], [device(1, 1, 1), device(2, 2, 1, 2, 3)])
    trial.also(placement=only_here)
    trial.until(StepKind.DRAIN)
    assert next_of(trial) == "drain s3"
    trial.until(StepKind.DRAIN, "s2")
    trial.step()
    while trial.plan().step is not None:
        trial.step()
    blocked = trial.plan().blocked[0]
    assert blocked.risk == "devices-stranded server s1"
    assert not blocked.can_be_accepted
    assert "no other server that takes devices" in blocked.message


def test_a_further_loss_can_be_accepted() -> None:
    trial = Trial(inventory(server(1), server(2)))
    two = placement([host(1), host(2)], [device(1, 1, 1, 2)])
    trial.also(placement=two)
    trial.until(StepKind.DRAIN, "s2")
    while trial.plan().step is not None:
        trial.step()
    assert trial.plan().blocked[0].risk == "devices-at-risk server s1"
    trial.accept("devices-at-risk server s1")
    assert next_of(trial) == DRAIN_S1


def test_the_way_back_is_there_before_the_way_forward_is_taken() -> None:
    """S17."""
    trial = Trial(inventory(server(1, installed=frozenset(), staged=frozenset({NEW}))))
    while trial.plan().step is not None:
        trial.step()
    assert "way-back-missing server s1" in told(trial.plan())
    trial.see("s1", staged=frozenset({OLD, NEW}))
    assert next_of(trial) == "install s1 1.0"


def test_consoles_are_the_last_and_only_if_the_release_says_so() -> None:
    strict = farm("2.0", schema=NEW_SCHEMA, oldest_console="2.0")
    console = SeenConsole("ann", OLD, Trial().now)
    for facts, expected in ((NEW_FARM, []), (strict, ["consoles-behind console ann"])):
        trial = Trial(inventory(consoles=(console,), known=(OLD_FARM, facts)), facts=facts)
        assert trial.run()[-1] == "serve s2"
        trial.wish(runs_since=trial.now - timedelta(hours=1))
        assert told(trial.plan()) == expected
        trial.accept("consoles-behind console ann")
        assert trial.plan().event is UpgradeEvent.ARRIVE


def test_a_client_of_a_device_that_is_too_old_or_unknown_is_named() -> None:
    strict = farm("2.0", schema=NEW_SCHEMA, oldest_target="2.0")
    trial = Trial(inventory(known=(OLD_FARM, strict)), facts=strict)
    trial.also(targets=(("pc0", OLD), ("pc1", NEW)))
    trial.run()
    assert [one for one in told(trial.plan()) if one.startswith("targets")] == [
        "targets-behind device pc0",
        "targets-behind device pc2",
    ]


def test_a_stream_process_that_the_new_farm_cannot_direct_is_named() -> None:
    strict = farm("2.0", schema=NEW_SCHEMA, oldest_server="1.5")
    trial = Trial(inventory(known=(OLD_FARM, strict)), facts=strict)
    trial.run()
    assert "servers-behind server s1" in told(trial.plan())


def test_what_the_farm_check_finds_is_in_the_way_unless_the_upgrade_itself_causes_it() -> None:
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.also(findings=(Finding(Kind.RELAY_REFUSES, "server r1", "it rests"),))
    assert next_of(trial) == DRAIN_S1
    trial.also(findings=(Finding(Kind.STORE_FULL, "server s2", "1 GiB left"),))
    assert told(trial.plan())[0] == "farm-unsound server s2"


def test_a_silent_relay_that_would_serve_beside_the_new_farm_is_in_the_way() -> None:
    """S7, S13."""
    equal = farm("2.0", schema=NEW_SCHEMA)
    trial = Trial(
        inventory(*map(server, (1, 2, 3)), relay(1), known=(OLD_FARM, equal)), facts=equal
    )
    trial.until(StepKind.REST)
    trial.see("r1", is_online=False)
    assert next_of(trial) == ""
    assert "server-silent relay r1" in told(trial.plan())
    trial.accept("server-silent relay r1")
    assert next_of(trial) == DRAIN_S1
