"""What facts forbid a computer, by what it last said and by what releases say of themselves."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from corral.farm.domain.computer.check_in import KitState
from corral.farm.domain.computer.why import Block
from corral.farm.domain.image.write_cache import ImageMode
from corral.farm.domain.library.assignment import engine_release
from corral.farm.domain.library.compatibility import (
    Allowed,
    EngineFacts,
    Forbidden,
    ImageFacts,
    may_run,
    may_upgrade,
)
from corral.farm.domain.library.errors import ReleaseInvalidError
from corral.farm.domain.library.item import ItemState
from corral.farm.domain.library.release import Component, Release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.image.image import Image
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.library.manifest import ReleaseManifest


class Facts:
    """The manifests of the library, as one moment sees them."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @cached_property
    def manifests(self) -> tuple[ReleaseManifest, ...]:
        """What every release says that is in the library."""
        return tuple(
            item.kit.manifest
            for item in self._records.library_items.all()
            if item.kit is not None and item.state is ItemState.AVAILABLE
        )

    @cached_property
    def _engines(self) -> Mapping[Release, ReleaseManifest]:
        return {one.release: one for one in self.manifests if one.component is Component.ENGINE}

    def engine(self, said: CheckIn) -> EngineFacts | None:
        """Give what an engine can do, by its own word and by its release's."""
        release = engine_release(said)
        if release is None:
            return None
        facts = EngineFacts(
            release,
            frozenset(said.engine.image_formats),
            release_or_none(said.engine.guest_tools),
            seen_at=said.at,
        )
        return facts.as_published(self._engines)

    def forbids(self, image: Image, version: Version, said: CheckIn) -> Forbidden | None:
        """Give the fact that forbids a computer a version, if there is one."""
        verdict = may_run(_image_facts(image, version), self.engine(said))
        return verdict if isinstance(verdict, Forbidden) else None

    def block(self, image: Image, version: Version, said: CheckIn) -> Block | None:
        """Give the same, with whether the engine that is installed there already ends it."""
        forbidden = self.forbids(image, version, said)
        if forbidden is None:
            return None
        return Block(
            forbidden.fact,
            f"{forbidden.words}; {forbidden.way_out}",
            ends_at_restart=self._ends_at_restart(image, version, said),
        )

    def _ends_at_restart(self, image: Image, version: Version, said: CheckIn) -> bool:
        if said.kit.state is not KitState.INSTALLED or said.kit.wanted is None:
            return False
        release = release_or_none(said.kit.wanted)
        manifest = None if release is None else self._engines.get(release)
        if manifest is None:
            return False
        verdict = may_run(_image_facts(image, version), EngineFacts.of(manifest))
        return isinstance(verdict, Allowed)

    def forbids_kit(self, to: ReleaseManifest, said: CheckIn | None) -> Forbidden | None:
        """Give the fact that forbids an engine the next release, if there is one.

        Of a computer that never said what it runs nothing is known that forbids it; it is judged
        when it checks in, before it is told anything.
        """
        now = None if said is None else engine_release(said)
        if now is None:
            return None
        verdict = may_upgrade(now, to, self.manifests)
        return verdict if isinstance(verdict, Forbidden) else None


def _image_facts(image: Image, version: Version) -> ImageFacts:
    return ImageFacts(
        str(version.name),
        version.image_format,
        keeps_changes=image.mode is not ImageMode.SHARED,
        guest_tools=release_or_none(version.guest_tools),
        published_with=release_or_none(version.published_with),
    )


def release_or_none(text: str | None) -> Release | None:
    """Read a release that somebody said; none for what is none."""
    if not text:
        return None
    try:
        return Release.parse(text)
    except ReleaseInvalidError:
        return None
