"""Which releases get on with each other. Pure: facts in, a verdict with its fact and way out.

Computers that are offline are judged by what they were when they were last heard of; of one that
never said what it is, nothing is allowed. The newer of two releases is the one that knows whether
they get on, so that a farm can hold and hand out an engine which is newer than itself (S9).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from corral.farm.domain.library.manifest import (
    EngineManifest,
    FactId,
    FarmManifest,
    ReleaseManifest,
    fact_id,
)
from corral.farm.domain.library.release import Component, Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


class ToolsWork(StrEnum):
    """What becomes of the guest tools in a virtual machine when it starts on an engine."""

    NONE = "none"
    AT_START = "at-start"
    """The engine brings newer ones, and puts them in at the next start (S4)."""
    BY_HAND = "by-hand"
    """The engine brings newer ones; what a user has changed is not touched without them (S37)."""


@dataclass(frozen=True)
class Allowed:
    """Nothing forbids it."""

    tools: ToolsWork = ToolsWork.NONE
    is_republishing_worth_while: bool = False
    """Whether publishing the image anew would put newer guest tools into it (S38, S52)."""


@dataclass(frozen=True)
class Forbidden:
    """A fact forbids it, and what would change that."""

    fact: FactId
    words: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.words} (fact {self.fact}); {self.way_out}"


Verdict: TypeAlias = Allowed | Forbidden

UNKNOWN_ENGINE = FactId("engine/unknown")
RELAY_EQUALS_FARM = FactId("farm/relay-equals-farm")


@dataclass(frozen=True)
class ImageFacts:
    """What matters of one version of an image."""

    name: str
    """What people call it: ``debian/3``."""
    image_format: int
    keeps_changes: bool = False
    """Whether what is written to its system disk stays: a custom image, or a local one."""
    guest_tools: Release | None = None
    """The tools in it; none if it has none, or nobody knows."""
    published_with: Release | None = None
    """The farm's release when it was published."""
    newest_guest_tools: Release | None = None
    """What publishing it anew would put in."""


@dataclass(frozen=True)
class EngineFacts:
    """What an engine can do, as last known."""

    release: Release
    image_formats: frozenset[int]
    guest_tools: Release | None = None
    """The tools that it brings."""
    oldest_guest_tools: Release | None = None
    newest_guest_tools: Release | None = None
    seen_at: datetime | None = None
    """When its computer was last heard of."""

    @classmethod
    def of(cls, manifest: ReleaseManifest) -> EngineFacts:
        """Give what a release of the engine says about itself."""
        said = manifest.facts
        if not isinstance(said, EngineManifest):
            message = f"{manifest.name} is no release of the engine"
            raise TypeError(message)
        return cls(
            manifest.release,
            said.image_formats,
            said.guest_tools,
            said.oldest_guest_tools,
            said.newest_guest_tools,
        )

    def as_published(self, known: Mapping[Release, ReleaseManifest]) -> EngineFacts:
        """Give what both the computer and the manifest of its release say that it can do."""
        manifest = known.get(self.release)
        if manifest is None:
            return self
        said = EngineFacts.of(manifest)
        return EngineFacts(
            self.release,
            self.image_formats & said.image_formats,
            self.guest_tools or said.guest_tools,
            said.oldest_guest_tools,
            said.newest_guest_tools,
            self.seen_at,
        )


def may_run(image: ImageFacts, engine: EngineFacts | None) -> Verdict:
    """Say whether an engine can run a version, and what becomes of its guest tools."""
    if engine is None:
        return Forbidden(
            UNKNOWN_ENGINE,
            f"it is not known which engine would run {image.name}",
            "it is judged again as soon as the computer checks in",
        )
    if image.image_format not in engine.image_formats:
        return Forbidden(
            fact_id(Component.ENGINE, engine.release, "runs-image-formats"),
            f"{image.name} has image format {image.image_format}"
            + (f", published by farm {image.published_with}" if image.published_with else "")
            + f", and engine {engine.release} runs {_formats(engine.image_formats)}",
            "assign a newer engine to the computer: what it runs now goes on, and this version"
            " follows by itself once the newer engine has checked in",
        )
    return _tools(image, engine)


def _tools(image: ImageFacts, engine: EngineFacts) -> Verdict:
    inside, brought = image.guest_tools, engine.guest_tools
    oldest, newest = engine.oldest_guest_tools, engine.newest_guest_tools
    if inside is not None and newest is not None and inside > newest:
        return Forbidden(
            fact_id(Component.ENGINE, engine.release, "newest-guest-tools"),
            f"{image.name} has guest tools {inside}, and engine {engine.release} works with those"
            f" up to {newest}",
            "assign a newer engine to the computer",
        )
    if inside is not None and oldest is not None and inside < oldest:
        return Forbidden(
            fact_id(Component.ENGINE, engine.release, "oldest-guest-tools"),
            f"{image.name} has guest tools {inside}, and engine {engine.release} works with those"
            f" from {oldest} on",
            "publish the image anew with newer guest tools",
        )
    work = ToolsWork.NONE
    if inside is not None and brought is not None and brought > inside:
        work = ToolsWork.BY_HAND if image.keeps_changes else ToolsWork.AT_START
    newer = image.newest_guest_tools
    return Allowed(
        work,
        is_republishing_worth_while=not image.keeps_changes
        and inside is not None
        and newer is not None
        and newer > inside,
    )


def may_serve(
    farm: ReleaseManifest, engine: Release | None, newer: ReleaseManifest | None = None
) -> Verdict:
    """Say whether a farm and an engine understand each other.

    ``newer`` is the engine's manifest, if it is known: an engine may be newer than the farm.
    """
    said = farm.facts
    if not isinstance(said, FarmManifest):
        message = f"{farm.name} is no release of the farm"
        raise TypeError(message)
    if engine is None:
        return Forbidden(
            UNKNOWN_ENGINE,
            "it is not known which engine the computer runs",
            "it is judged again as soon as the computer checks in",
        )
    if said.oldest_engine is not None and engine < said.oldest_engine:
        return Forbidden(
            farm.fact("oldest-engine"),
            f"farm {farm.release} answers engines from {said.oldest_engine} on, and this is"
            f" engine {engine}",
            "upgrade the engine from media",
        )
    if newer is not None and isinstance(newer.facts, EngineManifest):
        oldest_farm = newer.facts.oldest_farm
        if oldest_farm is not None and farm.release < oldest_farm:
            return Forbidden(
                newer.fact("oldest-farm"),
                f"engine {engine} understands farms from {oldest_farm} on, and this is farm"
                f" {farm.release}",
                "upgrade the farm first",
            )
    return Allowed()


def may_relay(
    relay: Release | None, farm: Release, manifest: ReleaseManifest | None = None
) -> Verdict:
    """Say whether a relay of that release may serve computers beside a farm of that one.

    ``manifest`` is the farm's, where it is known: only that can allow an older relay. Of a newer
    one nothing is known.
    """
    said = None if manifest is None else manifest.facts
    oldest = said.oldest_relay if isinstance(said, FarmManifest) else None
    if relay is not None and (relay == farm or (oldest is not None and oldest <= relay < farm)):
        return Allowed()
    fact = RELAY_EQUALS_FARM
    wanted = f"{farm}"
    if manifest is not None and oldest is not None:
        fact = manifest.fact("oldest-relay")
        wanted = f"{oldest} or a later one up to {farm}"
    return Forbidden(
        fact,
        f"the relay runs {relay or 'an unknown release'}, and the farm runs {farm}",
        f"bring the relay to {wanted}; until then it serves nothing",
    )


@dataclass(frozen=True)
class Laggard:
    """A computer that keeps the farm from being upgraded."""

    computer: str
    seen_at: datetime | None
    why: Forbidden


def laggards(
    farm: ReleaseManifest, computers: Iterable[tuple[str, EngineFacts | None]]
) -> tuple[Laggard, ...]:
    """Give the computers that could not run what that farm would publish, or not talk to it.

    While there are any, the farm is not upgraded: that is how engines come before the farm in one
    release and after it in another, without an order being written down anywhere (S5 to S8, S13).
    Computers that are offline count as they were when they were last heard of.
    """
    said = farm.facts
    if not isinstance(said, FarmManifest):
        message = f"{farm.name} is no release of the farm"
        raise TypeError(message)
    image = ImageFacts(
        f"what farm {farm.release} publishes",
        said.image_format,
        guest_tools=said.guest_tools,
        published_with=farm.release,
    )
    found: list[Laggard] = []
    for computer, engine in computers:
        verdicts = (
            may_serve(farm, None if engine is None else engine.release),
            may_run(image, engine),
        )
        why = next((one for one in verdicts if isinstance(one, Forbidden)), None)
        if why is not None:
            seen_at = None if engine is None else engine.seen_at
            found.append(Laggard(computer, seen_at, why))
    return tuple(sorted(found, key=lambda one: one.computer))


def may_upgrade(
    now: Release, to: ReleaseManifest, known: Iterable[ReleaseManifest] = ()
) -> Verdict:
    """Say whether one step leads from a release to another; ``known`` are all that there are."""
    if to.release == now:
        return Allowed()
    if to.release < now:
        return _may_go_back(now, to, known)
    rules = to.upgrades
    if now in rules.refused or (rules.oldest is not None and now < rules.oldest):
        return Forbidden(
            to.fact("upgrades"),
            f"{to.name} cannot follow {now}" + (f": {rules.because}" if rules.because else ""),
            "upgrade to a release in between first",
        )
    for other in known:
        is_between = now < other.release < to.release
        if other.component is to.component and other.upgrades.is_barrier and is_between:
            return Forbidden(
                other.fact("barrier"),
                f"everything older than {other.release} passes through it:"
                f" {other.upgrades.because}",
                f"upgrade to {other.release} first",
            )
    return Allowed()


def _may_go_back(now: Release, to: ReleaseManifest, known: Iterable[ReleaseManifest]) -> Verdict:
    own = next((one for one in known if (one.component, one.release) == (to.component, now)), None)
    if own is not None and own.upgrades.back_to is not None and to.release >= own.upgrades.back_to:
        return Allowed()
    return Forbidden(
        fact_id(to.component, now, "back-to"),
        f"{to.component} {now} does not say that one can go back from it to {to.release}",
        "assign a newer release, or install the older one from media",
    )


def way_up(
    now: Release, to: ReleaseManifest, known: Iterable[ReleaseManifest]
) -> tuple[ReleaseManifest, ...] | Forbidden:
    """Give the releases to pass through, the wanted one last; as few as there can be."""
    others = [one for one in known if one.component is to.component and one.release != to.release]
    direct = may_upgrade(now, to, others)
    if isinstance(direct, Allowed):
        return () if now == to.release else (to,)
    ways: list[tuple[ReleaseManifest, ...]] = [()]
    reached = {now}
    while ways:
        way = ways.pop(0)
        here = way[-1].release if way else now
        for step in sorted((*others, to), key=lambda one: one.release, reverse=True):
            if not here < step.release <= to.release or step.release in reached:
                continue
            if isinstance(may_upgrade(here, step, others), Allowed):
                if step is to:
                    return (*way, to)
                reached.add(step.release)
                ways.append((*way, step))
    return direct


def _formats(formats: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(formats))) if formats else "no format that is known"
