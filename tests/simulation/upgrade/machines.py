"""Simulated servers and relays: what they do by themselves, and what they refuse."""

from dataclasses import dataclass, replace

from corral.farm.domain.estate.server import ServerId, ServerName
from corral.farm.domain.library.release import Release
from tests.simulation.upgrade.records import Config, Report

FENCE = "fence"
"""A supervisor obeys no order with a lower number than one that it has obeyed."""
EXPECTED = "expected"
"""It switches only from the release that the order expects."""
EMPTY = "empty"
"""It switches only while no device reads from its server, or its relay rests."""
NODE_GUARDS = (FENCE, EXPECTED, EMPTY)


@dataclass
class Machine:
    """One of them."""

    id: ServerId
    name: ServerName
    is_relay: bool
    release: Release
    installed: frozenset[Release]
    staged: frozenset[Release]
    holds: frozenset[str] = frozenset()
    """The versions that it has with every byte."""
    max_devices: int | None = None
    is_up: bool = True
    is_cut: bool = False
    """Nobody hears of it, and it hears of nobody; it streams on."""
    config: Config | None = None
    before: Config | None = None
    """The one with the order before."""
    order: int = 0
    is_ready: bool = True
    is_unwell: bool = False
    """Its release does not get ready."""
    is_resting: bool = False
    is_supervised: bool = True
    installing: int = 0
    """The order by which it is laying a release out."""
    problem: str = ""
    problem_of: int = 0
    is_mute: bool = False
    """It does not say which release it runs."""
    bad: frozenset[Release] = frozenset()
    """Releases that read wrongly here."""
    full: bool = False
    """Its disk has no room to install anything."""
    stuck: frozenset[Release] = frozenset()
    """Releases that do not prove themselves here: its supervisor goes back."""
    by_hand: bool = False
    """Somebody has changed it, and the farm has not been told."""

    def copied(self) -> "Machine":
        return replace(self)

    @property
    def is_draining(self) -> bool:
        """Whether it knows that it drains."""
        return self.config is not None and self.config.draining

    @property
    def serves(self) -> bool:
        return self.is_up and not self.is_resting

    def takes(self, config: Config, guards_off: frozenset[str]) -> bool:
        """Follow a configuration; give whether it is one that it had not."""
        if self.has_seen(config.epoch, config.generation, guards_off) or config == self.config:
            return False
        self.config = config
        return True

    def has_seen(self, epoch: int, generation: int, guards_off: frozenset[str]) -> bool:
        """Whether it follows a configuration that is as new already, and looks at that."""
        if self.config is None:
            return False
        is_older = (epoch, generation) <= (self.config.epoch, self.config.generation)
        return is_older and FENCE not in guards_off

    def report(self, now: int, devices: tuple[str, ...]) -> Report:
        generation = 0 if self.config is None else self.config.generation
        self.by_hand = False
        return Report(
            now,
            generation,
            None if self.is_mute else self.release,
            self.installed,
            self.staged,
            self.order,
            self.is_ready,
            self.is_resting,
            self.problem,
            self.problem_of,
            self.holds,
            devices,
        )
