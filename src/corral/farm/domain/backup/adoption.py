"""What is adopted into a restored farm's records of what servers hold.

Pure: the same records and observations give the same. Whatever is newer than the backup is adopted,
never corrected downwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import VersionName, VersionNumber

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion, Observation
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.overlay import OverlayId
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class Remembered:
    """What the records say: the backup, and what was done since."""

    generation: int
    """The farm's, as the backup has it."""
    versions: tuple[Version, ...]
    last_numbers: Mapping[ImageName, int]
    """Of the images that are known, also those of the library."""
    replicas: frozenset[tuple[ServerId, RootHash]]
    overlays: Mapping[OverlayId, ServerId]
    begun: frozenset[OverlayId]
    """Those among them that began after the restoration."""
    devices: Mapping[str, str]
    """Names of devices by their ids."""


@dataclass(frozen=True)
class SeenServer:
    """A server, and what it said since the farm was restored."""

    id: ServerId
    name: ServerName
    observation: Observation | None = None
    streams: tuple[tuple[str, str], ...] = ()
    """Whom it streams what: the device's name, or its id if it is not known; and the export."""
    unknown: Collection[str] = ()
    """Ids among them that no device of the farm has."""

    @property
    def open(self) -> Observation | None:
        """What it said, if that is not dealt with yet."""
        said = self.observation
        return None if said is None or said.settled_at is not None else said


@dataclass(frozen=True)
class AdoptedVersion:
    """A version that becomes one again."""

    held: HeldVersion
    name: VersionName
    """Its own, unless that belongs to another by now."""
    standing: Standing
    holders: tuple[tuple[ServerId, HeldVersion], ...]


@dataclass(frozen=True)
class Adoption:
    """What is taken into the records when somebody accepts."""

    versions: tuple[AdoptedVersion, ...] = ()
    """In the order of their names."""
    standings: tuple[tuple[Version, Standing], ...] = ()
    replicas: tuple[tuple[ServerId, HeldVersion], ...] = ()
    """Of versions that are known."""
    overlays: tuple[tuple[ServerId, HeldOverlay], ...] = ()
    gone: tuple[OverlayId, ...] = ()


@dataclass
class _Found:
    newer: dict[tuple[VersionName, RootHash], list[tuple[Observation, HeldVersion]]] = field(
        default_factory=dict
    )
    standings: dict[VersionName, tuple[int, Version, Standing]] = field(default_factory=dict)
    replicas: list[tuple[ServerId, HeldVersion]] = field(default_factory=list)
    deleted: list[tuple[ServerId, HeldVersion]] = field(default_factory=list)


def plan_adoption(known: Remembered, servers: Iterable[SeenServer]) -> Adoption:
    """Say what of all that servers hold becomes part of the records."""
    observations = [one.open for one in servers]
    heard = [one for one in observations if one is not None]
    found = _found(known, heard)
    versions = tuple(_adopted(known, found))
    roots = {one.root for one in known.versions if one.is_published}
    roots |= {one.held.root for one in versions}
    return Adoption(
        versions=versions,
        standings=tuple((version, standing) for _, version, standing in found.standings.values()),
        replicas=tuple(found.replicas),
        overlays=tuple(
            (one.server_id, overlay)
            for one in heard
            for overlay in one.overlays
            if overlay.id not in known.overlays and _is_claimed(known, overlay, roots)
        ),
        gone=tuple(
            overlay
            for one in heard
            if one.generation > known.generation
            for overlay, server in known.overlays.items()
            if server == one.server_id
            and overlay not in known.begun
            and overlay not in {held.id for held in one.overlays}
        ),
    )


def deleted_before(
    known: Remembered, servers: Iterable[SeenServer]
) -> tuple[tuple[ServerId, HeldVersion], ...]:
    """Give what servers still hold though it was deleted when the backup was made."""
    heard = [one.open for one in servers]
    return tuple(_found(known, [one for one in heard if one is not None]).deleted)


def _found(known: Remembered, observations: Iterable[Observation]) -> _Found:
    by_name = {one.name: one for one in known.versions}
    found = _Found()
    for said in observations:
        is_newer = said.generation > known.generation
        for held in said.versions:
            version = by_name.get(held.name)
            if version is not None and version.root == held.root:
                if not version.is_published:
                    found.deleted.append((said.server_id, held))
                    continue
                if (said.server_id, held.root) not in known.replicas:
                    found.replicas.append((said.server_id, held))
                if is_newer:
                    _note_standing(found, said, held, version)
            elif is_newer:
                found.newer.setdefault((held.name, held.root), []).append((said, held))
            else:
                found.deleted.append((said.server_id, held))
    return found


def _note_standing(found: _Found, said: Observation, held: HeldVersion, version: Version) -> None:
    before = found.standings.get(version.name)
    if before is not None and before[0] >= said.generation:
        return
    if held.standing in {None, Standing.DELETING, Standing.DELETED}:
        return
    if held.standing is version.standing:
        # Whoever was told last says that it is as the backup has it.
        found.standings.pop(version.name, None)
    elif held.standing is not None:
        found.standings[version.name] = (said.generation, version, held.standing)


def _adopted(known: Remembered, found: _Found) -> Iterator[AdoptedVersion]:
    taken = {one.name for one in known.versions}
    last = dict(known.last_numbers)
    for name, _ in found.newer:
        last[name.image] = max(last.get(name.image, 0), name.number)
    # Of two of one name, that which was told last is it.
    in_order = sorted(
        found.newer.items(),
        key=lambda one: (one[0][0], -max(said.generation for said, _ in one[1]), one[0][1]),
    )
    for (name, _), told in in_order:
        _, held = max(told, key=lambda one: one[0].generation)
        holders = tuple((said.server_id, theirs) for said, theirs in told)
        if name not in taken:
            taken.add(name)
            yield AdoptedVersion(held, name, _safe(held.standing), holders)
            continue
        last[name.image] += 1
        own = VersionName(name.image, VersionNumber(last[name.image]))
        yield AdoptedVersion(held, own, Standing.TEST, holders)


def _safe(standing: Standing | None) -> Standing:
    """Give where it stands from now on: nobody starts it who did not before.

    The date of a release that was awaited is in no server; of an older release's versions, where
    they stood is not either.
    """
    if standing in {Standing.MAINTENANCE, Standing.PRODUCTION, Standing.RETIRED}:
        return standing or Standing.TEST
    return Standing.TEST


def _is_claimed(known: Remembered, overlay: HeldOverlay, roots: Collection[RootHash]) -> bool:
    return str(overlay.device_id) in known.devices and overlay.base in roots
