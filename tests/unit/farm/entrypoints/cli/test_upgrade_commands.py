"""``corral upgrade check``: what a person reads, what a program reads, and how it ends."""

from datetime import timedelta

from tests.farm_in_memory import FarmInMemory
from tests.unit.farm.application.test_check_upgrade import Ready
from tests.unit.farm.application.upgrading import UpgradableFarm
from tests.unit.farm.entrypoints.cli.conftest import CommandLine

from corral.farm.entrypoints.cli.failures import ExitCode


def test_what_is_in_the_way_is_told_with_what_ends_it(
    farm: FarmInMemory, corral: CommandLine
) -> None:
    ready = Ready(farm)
    clear = corral("upgrade", "check", "farm-5.0")
    assert (clear.code, clear.err) == (ExitCode.DONE, "")
    assert "nothing is in the way from 0.1.0 to 5.0" in clear.out
    assert corral("upgrade", "check", "farm-5.0", "--json").json["clear"]
    ready.servers.append(farm.add_server("s3"))
    blocked = corral("upgrade", "check", "farm-5.0", "--json")
    assert blocked.code == ExitCode.FINDINGS
    hindrances = {one["code"]: one for one in blocked.json["hindrances"]}
    assert hindrances["kit-not-staged"]["object"] == "server s3"
    assert "corral image replicate" in hindrances["kit-not-staged"]["way_out"]
    told = corral("upgrade", "check", "farm-5.0")
    assert told.code == ExitCode.FINDINGS
    assert "kit-not-staged" in told.out


def test_a_kit_that_is_not_there_is_named(farm: FarmInMemory, corral: CommandLine) -> None:
    refused = corral("upgrade", "check", "farm-9.9")
    assert refused.code != ExitCode.DONE
    assert "library-item-unknown" in refused.err
    assert not farm.application.list_library()


def test_an_upgrade_from_the_command_line(farm: FarmInMemory, corral: CommandLine) -> None:
    upgradable = UpgradableFarm(farm)
    upgradable.stream("pc1", "s1")
    assert "no-upgrade-under-way" in corral("upgrade", "status").err
    assert "no upgrades yet" in corral("upgrade", "list").out
    plan = corral("upgrade", "plan", "farm-5.0", "--first", "s2").out
    assert plan.startswith("Upgrade of the farm from 0.1.0 to 5.0")
    assert "corral server drain s1" in corral("upgrade", "plan", "farm-5.0", "--runbook").out
    assert corral("upgrade", "plan", "farm-5.0", "--sql").out == "colours\n"
    both = corral("upgrade", "plan", "farm-5.0", "--sql", "--runbook")
    assert both.code == ExitCode.USAGE
    begun = corral("upgrade", "run", "farm-5.0", "--first", "s2", "--soak", "5s")
    assert begun.out.startswith("upgrade 1 from 0.1.0 to 5.0 is running")
    assert corral("upgrade", "run", "farm-5.0", "--soak", "long").code == ExitCode.USAGE
    upgradable.machines["s2"].spoils = "5.0"
    upgradable.until(lambda: upgradable.state == "paused")
    told = corral("upgrade", "status").out
    assert "paused" in told
    assert "5.0 does not start" in told
    status = corral("upgrade", "status", "--json").json
    assert status["blocked"][0]["risk"] == "upgrade-paused farm"
    assert status["steps"][0]["kind"] == "install"
    assert {one["server"] for one in status["servers"]} == {"s1", "s2", "s3"}
    upgradable.machines["s2"].spoils = ""
    assert "is running" in corral("upgrade", "resume").out
    upgradable.until(lambda: upgradable.state == "awaiting-finalise")
    assert "awaiting-finalise" in corral("upgrade", "status").out
    assert "is finalising" in corral("upgrade", "finalise").out
    upgradable.until(lambda: upgradable.state == "done")
    assert corral("upgrade", "list", "--json").json["upgrades"][0]["state"] == "done"
    assert "no-upgrade-under-way" in corral("upgrade", "roll-back").err


def test_a_risk_from_the_command_line(farm: FarmInMemory, corral: CommandLine) -> None:
    risk = "computers-behind computer laptop"
    until = (farm.ports.clock.now() + timedelta(days=3)).isoformat()
    said = corral("upgrade", "accept", risk, "--until", until, "--because", "in the cellar")
    assert said.out.startswith(f"{risk} is accepted by ")
    assert "in the cellar" in corral("upgrade", "risks").out
    for wrong in ("tomorrow", "2026-01-02T03:04:05", "1999-01-01T00:00:00Z"):
        refused = corral("upgrade", "accept", risk, "--until", wrong, "--because", "x")
        assert "risk-invalid" in refused.err
    assert corral("upgrade", "withdraw", risk, "--json").json == {"risk": risk, "withdrawn": 1}
    assert "acceptance-unknown" in corral("upgrade", "withdraw", risk).err
