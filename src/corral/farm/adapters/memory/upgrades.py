"""Upgrades in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.upgrade.errors import (
    AcceptanceUnknownError,
    BlueprintSupersededError,
    UpgradeChangedError,
    UpgradeUnderWayError,
    UpgradeUnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.estate.releases import ReleaseOrder
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.upgrade.acceptance import Acceptance, AcceptanceId
    from corral.farm.domain.upgrade.blueprint import Blueprint, UpgradeNumber
    from corral.farm.domain.upgrade.inventory import Canary, SeenConsole
    from corral.farm.domain.upgrade.upgrade import Upgrade, UpgradeId


class MemoryUpgrades:
    """Upgrades by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, upgrade: Upgrade) -> None:
        """Add one."""
        for other in self._state.upgrades.values():
            if other.number == upgrade.number:
                raise UpgradeUnderWayError(other.number, other.state, str(other.new))
        self._state.upgrades[upgrade.id] = upgrade

    def change(self, seen: Upgrade, after: Upgrade) -> Upgrade:
        """Replace it if it is as it was seen."""
        if self.with_id(seen.id).revision != seen.revision:
            raise UpgradeChangedError(seen.number)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.upgrades[seen.id] = changed
        return changed

    def find_open(self) -> Upgrade | None:
        """Give the one that is not over."""
        return next((one for one in self.all() if not one.is_over), None)

    def with_id(self, upgrade_id: UpgradeId) -> Upgrade:
        """Give the one with that id."""
        try:
            return self._state.upgrades[upgrade_id]
        except KeyError:
            raise UpgradeUnknownError(str(upgrade_id)) from None

    def all(self) -> Sequence[Upgrade]:
        """Give all of them."""
        return sorted(self._state.upgrades.values(), key=lambda one: one.number)


class MemoryBlueprints:
    """Blueprints by generation."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, blueprint: Blueprint) -> None:
        """Add one."""
        if blueprint.generation in self._state.blueprints:
            raise BlueprintSupersededError(blueprint.generation)
        self._state.blueprints[blueprint.generation] = blueprint

    def of_upgrade(self, number: UpgradeNumber) -> Sequence[Blueprint]:
        """Give those of an upgrade."""
        return [
            self._state.blueprints[generation]
            for generation in sorted(self._state.blueprints)
            if self._state.blueprints[generation].upgrade == number
        ]

    def newest(self) -> Blueprint | None:
        """Give the last one."""
        known = self._state.blueprints
        return known[max(known)] if known else None


class MemoryReleaseOrders:
    """Orders by server."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, server: ServerId, order: ReleaseOrder) -> None:
        """Replace it."""
        self._state.release_orders[server] = order

    def find(self, server: ServerId) -> ReleaseOrder | None:
        """Give it."""
        return self._state.release_orders.get(server)


class MemoryCanaries:
    """Canaries by server."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, canary: Canary) -> None:
        """Replace it."""
        self._state.canaries[canary.server] = canary

    def all(self) -> Sequence[Canary]:
        """Give all."""
        return [self._state.canaries[server] for server in sorted(self._state.canaries)]


class MemoryConsoles:
    """Consoles by name."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, seen: SeenConsole) -> None:
        """Remember it."""
        self._state.consoles[seen.who] = seen

    def find(self, who: str) -> SeenConsole | None:
        """Give it."""
        return self._state.consoles.get(who)

    def all(self) -> Sequence[SeenConsole]:
        """Give all."""
        return [self._state.consoles[who] for who in sorted(self._state.consoles)]

    def forget(self, before: datetime) -> None:
        """Forget those that were seen before."""
        kept = {who: one for who, one in self._state.consoles.items() if one.seen_at >= before}
        self._state.consoles = kept


class MemoryAcceptances:
    """Acceptances by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, acceptance: Acceptance) -> None:
        """Add one."""
        self._state.acceptances[acceptance.id] = acceptance

    def all(self) -> Sequence[Acceptance]:
        """Give all."""
        return sorted(self._state.acceptances.values(), key=lambda one: (one.accepted_at, one.id))

    def with_id(self, acceptance_id: AcceptanceId) -> Acceptance:
        """Give the one with that id."""
        try:
            return self._state.acceptances[acceptance_id]
        except KeyError:
            raise AcceptanceUnknownError(str(acceptance_id)) from None

    def remove(self, acceptance_id: AcceptanceId) -> None:
        """Take it back."""
        self._state.acceptances.pop(acceptance_id, None)
