"""What the two releases of an upgrade, and others that are seen, say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.library.compatibility import Allowed, may_relay
from corral.farm.domain.library.manifest import FarmManifest, SchemaFacts
from corral.farm.domain.library.release import Component

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.library.release import Release


@dataclass(frozen=True)
class ReleaseFacts:
    """The manifests of the farm's releases that are known."""

    farms: Mapping[Release, ReleaseManifest]

    @classmethod
    def of(cls, new: ReleaseManifest, known: Iterable[ReleaseManifest]) -> ReleaseFacts:
        """Gather them."""
        farms = {one.release: one for one in known if one.component is Component.FARM}
        return cls({**farms, new.release: new})

    def said(self, release: Release) -> FarmManifest | None:
        """Give what a release says, if that is known."""
        manifest = self.farms.get(release)
        facts = None if manifest is None else manifest.facts
        return facts if isinstance(facts, FarmManifest) else None

    def schema(self, release: Release) -> SchemaFacts | None:
        """Give what a release says of the schema, if that is known."""
        said = self.said(release)
        return None if said is None else said.schema

    def reads(self, release: Release, readable_from: str) -> bool | None:
        """Whether it works on a schema that is readable from there on; none if nobody knows."""
        schema = self.schema(release)
        return None if schema is None else schema.head >= readable_from

    def may_relay(self, relay: Release | None, farm: Release | None) -> bool:
        """Whether a relay may serve computers beside a server of that release."""
        if farm is None:
            return False
        return isinstance(may_relay(relay, farm, self.farms.get(farm)), Allowed)
