"""Farms that are upgraded, said shortly."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.unit.farm.domain.farms import device, host, placement, server_id

from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.estate.server import ServerId, server_name
from corral.farm.domain.library.compatibility import EngineFacts
from corral.farm.domain.library.manifest import ReleaseManifest, read_manifest
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.acceptance import Acceptance
from corral.farm.domain.upgrade.adoption import blueprint_of
from corral.farm.domain.upgrade.blueprint import Blueprint, Step, StepKind, UpgradeNumber
from corral.farm.domain.upgrade.carried_out import carried_out, with_server
from corral.farm.domain.upgrade.inventory import (
    Canary,
    Inventory,
    SeenSchema,
    SeenServer,
    VerifiedBackup,
)
from corral.farm.domain.upgrade.plan import Plan, plan
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.state import UpgradeEvent, UpgradeState, after
from corral.farm.domain.upgrade.touches import Touches

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
OLD, NEW = Release.parse("1.0"), Release.parse("2.0")
EVERYWHERE = (1, 2, 3)


def release(text: str) -> Release:
    return Release.parse(text)


def manifest(component: str, number: str, **facts: Any) -> ReleaseManifest:  # noqa: ANN401 - JSON
    said: dict[str, Any] = {
        "format": 1,
        "component": component,
        "release": number,
        "digest": "ab" * 32,
        "released_on": "2026-11-30",
        "document": "1",
        **facts,
    }
    return read_manifest(json.dumps(said))


def farm(number: str, **facts: Any) -> ReleaseManifest:  # noqa: ANN401 - as JSON has it
    return manifest("farm", number, **{"publishes_image_format": 1, **facts})


OLD_SCHEMA = {"expands_to": "0030", "readable_from": "0029", "contracts_to": "0031"}
NEW_SCHEMA = {"expands_to": "0033", "readable_from": "0031", "contracts_to": "0034"}
OLD_FARM = farm("1.0", schema=OLD_SCHEMA)
NEW_FARM = farm("2.0", schema=NEW_SCHEMA, oldest_relay="1.0")


def relay_id(number: int) -> ServerId:
    return ServerId(UUID(int=100 + number))


def server(number: int, **said: Any) -> SeenServer:  # noqa: ANN401 - fields of SeenServer
    plain = SeenServer(
        id=server_id(number),
        name=server_name(f"s{number}"),
        is_relay=False,
        is_online=True,
        reported_at=NOW,
        configured=0,
        release=OLD,
        installed=frozenset({OLD}),
        order=0,
        is_ready=True,
        is_supervised=True,
        session_count=0,
        is_draining=False,
        is_resting=False,
        is_in_maintenance=False,
        staged=frozenset({OLD, NEW}),
    )
    return replace(plain, **said)


def relay(number: int, **said: Any) -> SeenServer:  # noqa: ANN401 - fields of SeenServer
    return server(
        number, **{"id": relay_id(number), "name": f"r{number}", "is_relay": True, **said}
    )


def devices(count: int = 3, servers: int = 3) -> Placement:
    """Give devices that every server could serve, spread over the servers."""
    numbers = range(1, servers + 1)
    return placement(
        [host(number) for number in numbers],
        [device(n, 1 + n % servers, *numbers) for n in range(count)],
    )


def inventory(*servers: SeenServer, **said: Any) -> Inventory:  # noqa: ANN401 - fields of Inventory
    plain = Inventory(
        seen_at=NOW,
        epoch=0,
        servers=servers or tuple(server(number) for number in EVERYWHERE),
        placement=devices(servers=sum(not one.is_relay for one in servers) or 3),
        schema=SeenSchema("0031", "0031"),
        backup=VerifiedBackup(timedelta(hours=2), "0031", 0, NEW),
        known=(OLD_FARM, NEW_FARM),
    )
    return replace(plain, **said)


def engine(number: str, *formats: int) -> EngineFacts:
    return EngineFacts(release(number), frozenset(formats or (1,)))


@dataclass
class Trial:
    """A farm that is upgraded step by step, as it goes when a test does not say otherwise."""

    seen: Inventory = field(default_factory=inventory)
    policy: Policy = field(default_factory=lambda: Policy(OLD, NEW, UpgradeState.RUNNING))
    facts: ReleaseManifest = NEW_FARM
    history: list[Blueprint] = field(default_factory=list)
    now: datetime = NOW
    generation: int = 10

    def plan(self) -> Plan:
        return plan(self.policy, self.seen, Touches.of(self.history), self.facts, self.now)

    def server(self, name: str) -> SeenServer:
        return next(one for one in self.seen.servers if one.name == name)

    def see(self, name: str, **said: Any) -> None:  # noqa: ANN401 - fields of SeenServer
        """Let a server be seen otherwise."""
        self.seen = with_server(self.seen, replace(self.server(name), **said))

    def also(self, **said: Any) -> None:  # noqa: ANN401 - fields of Inventory
        self.seen = replace(self.seen, **said)

    def wish(self, **said: Any) -> None:  # noqa: ANN401 - fields of Policy
        self.policy = replace(self.policy, **said)

    def accept(self, risk: str, hours: int = 1) -> None:
        until = self.now + timedelta(hours=hours)
        one = Acceptance(risk, "ann", until, "she knows", self.now)
        self.wish(acceptances=(*self.policy.acceptances, one))

    def adopt(self, step: Step | None = None) -> Blueprint:
        """Write the next step down. Nothing has come of it yet."""
        came = self.plan()
        chosen = step or came.step
        assert chosen is not None, told(came)
        self.generation += 1
        newest = self.history[-1] if self.history else None
        blueprint = blueprint_of(
            chosen,
            came.evidence,
            newest,
            self.seen,
            upgrade=UpgradeNumber(1),
            farm_generation=self.generation,
            now=self.now,
            by="w1",
        )
        self.history.append(blueprint)
        # Flags are the farm's own, and set at once.
        if chosen.kind in (StepKind.DRAIN, StepKind.SERVE) and chosen.server is not None:
            name = self.name(chosen.server)
            if not self.server(name).is_relay:
                self.see(name, is_draining=chosen.kind is StepKind.DRAIN)
        return blueprint

    def step(self) -> Step:
        """Take the next step, with success."""
        blueprint = self.adopt()
        schema = self.facts.facts.schema  # type: ignore[union-attr] # a farm's
        self.seen, _ = carried_out(self.seen, blueprint, schema)
        return blueprint.step

    def name(self, server: ServerId) -> str:
        return next(str(one.name) for one in self.seen.servers if one.id == server)

    def until(self, kind: StepKind, server: str | None = None) -> None:
        """Take steps until the next one is of a kind, and of a server if one is named."""
        for _ in range(100):
            step = self.plan().step
            assert step is not None, told(self.plan())
            if step.kind is kind and server in (None, step.server and self.name(step.server)):
                return
            self.step()
        raise AssertionError

    def take(self, event: UpgradeEvent) -> None:
        self.wish(state=after(self.policy.state, event))

    def run(self) -> list[str]:
        """Take every step that comes, without time or people."""
        found = []
        while (step := self.plan().step) is not None:
            found.append(said(step, self))
            self.step()
        return found

    def canary(self, name: str, problem: str) -> None:
        """Let what was read through a server have come out wrong."""
        one = self.server(name)
        assert one.release is not None
        seen = Canary(one.id, one.release, self.history[-1].generation, self.now, problem)
        others = (other for other in self.seen.canaries if other.server != one.id)
        self.also(canaries=(*others, seen))


def said(step: Step, trial: Trial) -> str:
    """Say a step in a word or three."""
    words = [step.kind.value]
    if step.server is not None:
        words.append(trial.name(step.server))
    if step.kind in (StepKind.SWITCH, StepKind.INSTALL):
        words.append(str(step.release))
    return " ".join(words)


def told(came: Plan) -> list[str]:
    """Give all that is in the way, each as its code and thing."""
    return [one.risk for one in (*came.blocked, *came.waits_for)]


def drained(name: str = "s1") -> Trial:
    """Give a farm whose first server was drained."""
    trial = Trial()
    trial.until(StepKind.SWITCH, name)
    return trial


def switched() -> Trial:
    trial = Trial()
    trial.until(StepKind.CANARY)
    return trial


def next_of(trial: Trial) -> str:
    step = trial.plan().step
    return "" if step is None else said(step, trial)
