"""What differs between a restored farm's records and what others know, with what accepting does.

Pure: the same records and observations give the same list. What cannot be adopted is named with its
way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from corral.farm.domain.backup.adoption import deleted_before, plan_adoption

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from corral.farm.domain.backup.adoption import (
        AdoptedVersion,
        Adoption,
        Remembered,
        SeenServer,
    )
    from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion, Observation
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.standing import Standing
    from corral.farm.domain.image.version import Version


class DifferenceKind(Enum):
    """A kind of difference: its code, what it means, what accepting does."""

    VERSION_NEWER = (
        "version-newer",
        "servers hold a version that the farm has signed, and the backup does not know it",
        "it becomes a version again, where it stood",
    )
    VERSION_CONTESTED = (
        "version-contested",
        (
            "servers hold a version that the farm has signed, and its number belongs to another one"
            " by now"
        ),
        "it becomes a version again with the next number of its image, in test",
    )
    STANDING_NEWER = (
        "standing-newer",
        "a version stands elsewhere than the backup says: it was promoted, reverted or retired",
        "it stands there again",
    )
    REPLICA_NEWER = (
        "replica-newer",
        "a server holds a version that it was told to hold after the backup",
        "the server keeps it, and devices are sent there for it",
    )
    OVERLAY_NEWER = (
        "overlay-newer",
        "a device writes to a disk on a server that it began after the backup",
        "the device goes on with it",
    )
    OVERLAY_GONE = (
        "overlay-gone",
        "the backup knows a disk of a device that was given up since, or became a version",
        "it is forgotten",
    )
    OVERLAY_UNCLAIMED = (
        "overlay-unclaimed",
        (
            "a server keeps what a device writes, and the farm does not know the device, or not the"
            " version below"
        ),
        (
            "nothing: it is offered no more and stays in 'overlays/' of the store; shut the device"
            " down first"
        ),
    )
    VERSION_DELETED = (
        "version-deleted",
        "a server still holds what was deleted before the backup",
        "the server lets it go, as it was told before",
    )
    DEVICE_UNKNOWN = (
        "device-unknown",
        "a device streams that was added after the backup",
        (
            "nothing: it streams on until its ticket ends; add it again ('corral device add') with"
            " its name and address, and give it the new key"
        ),
    )
    COMPUTER_AHEAD = (
        "computer-ahead",
        "a computer runs what the farm would take from it, or bring to an older version",
        (
            "nothing: it is given no orders; assign again what it has, or 'corral farm accept"
            " --taking-from COMPUTER'"
        ),
    )
    SERVER_UNHEARD = (
        "server-unheard",
        "a server was not heard of since the farm was restored, or cannot observe",
        (
            "nothing: it keeps all that it has until it is heard of; what it holds then is shown"
            " here, and accepted like the rest"
        ),
    )
    GENERATION_NEWER = (
        "generation-newer",
        "servers followed the farm further than the backup goes",
        "nothing: the restored farm counts on above that",
    )

    def __init__(self, code: str, meaning: str, accepting: str) -> None:
        self.code = code
        self.meaning = meaning
        self.accepting = accepting


@dataclass(frozen=True)
class Difference:
    """One thing that is not everywhere the same."""

    kind: DifferenceKind
    thing: str
    """``version golden/2``, ``server s1``, ``computer c1``, ``farm``."""
    backup: str
    """What the backup says."""
    said: str
    """What the farm is known to have said or heard last."""
    live: str
    """What is so, as those concerned say."""


@dataclass(frozen=True)
class SeenComputer:
    """A computer that would lose something by its orders."""

    name: str
    ordered: str
    runs: str
    roots: frozenset[RootHash | None] = frozenset()
    """What it runs that is not known as newer; none among them if it is not only that."""


def differences(
    known: Remembered, servers: tuple[SeenServer, ...], computers: Iterable[SeenComputer] = ()
) -> tuple[Difference, ...]:
    """Give all that differs, what is adopted first."""
    adoption = plan_adoption(known, servers)
    heard = [one.open for one in servers if one.open is not None]
    look = _Look(known, {one.id: one for one in servers})
    adopted = {one.held.root for one in adoption.versions}
    return (
        *(look.version(one) for one in adoption.versions),
        *(look.standing(version, standing) for version, standing in adoption.standings),
        *(look.replica(*one) for one in adoption.replicas),
        *(look.overlay(*one) for one in adoption.overlays),
        *(
            Difference(
                DifferenceKind.OVERLAY_GONE,
                f"overlay {one}",
                f"on {look.name(known.overlays[one])}",
                "given up",
                "gone",
            )
            for one in adoption.gone
        ),
        *look.unclaimed(adoption),
        *(look.deleted(*one) for one in deleted_before(known, servers)),
        *(
            Difference(
                DifferenceKind.DEVICE_UNKNOWN,
                f"device {subject}",
                "-",
                "-",
                f"streams {export} from {one.name}",
            )
            for one in servers
            for subject, export in one.streams
            if subject in one.unknown
        ),
        *(
            Difference(
                DifferenceKind.COMPUTER_AHEAD, f"computer {one.name}", one.ordered, "-", one.runs
            )
            for one in computers
            # What becomes a version again is known as the newer one then.
            if not one.roots or not one.roots <= adopted
        ),
        *(
            Difference(
                DifferenceKind.SERVER_UNHEARD, f"server {one.name}", "-", "-", "not heard of"
            )
            for one in servers
            if one.observation is None
        ),
        *look.generations(heard),
    )


@dataclass(frozen=True)
class _Look:
    known: Remembered
    servers: Mapping[ServerId, SeenServer]

    def version(self, one: AdoptedVersion) -> Difference:
        is_renamed = one.name != one.held.name
        kind = DifferenceKind.VERSION_CONTESTED if is_renamed else DifferenceKind.VERSION_NEWER
        backup = "no such version"
        if is_renamed:
            backup = f"another version; this becomes {one.name}"
        standing = one.held.standing
        said = f"root {one.held.root.short}, {standing.phrase if standing else 'nobody says where'}"
        holders = [server for server, _ in one.holders]
        return Difference(
            kind,
            f"version {one.held.name}",
            backup,
            f"{said}, told {self._names(holders)}",
            self._live(holders, str(one.held.name), one.holders),
        )

    def standing(self, version: Version, standing: Standing) -> Difference:
        return Difference(
            DifferenceKind.STANDING_NEWER,
            f"version {version.name}",
            version.standing.phrase,
            standing.phrase,
            standing.phrase,
        )

    def replica(self, server: ServerId, held: HeldVersion) -> Difference:
        return Difference(
            DifferenceKind.REPLICA_NEWER,
            f"version {held.name}",
            f"not on {self.name(server)}",
            f"told {self.name(server)}",
            self._live([server], str(held.name), ((server, held),)),
        )

    def overlay(self, server: ServerId, held: HeldOverlay) -> Difference:
        device = self.known.devices[str(held.device_id)]
        return Difference(
            DifferenceKind.OVERLAY_NEWER,
            f"device {device}",
            "another disk, or none",
            f"{held.export}, told {self.name(server)}",
            self._live([server], held.export, ()),
        )

    def unclaimed(self, adoption: Adoption) -> Iterator[Difference]:
        adopted = {overlay.id for _, overlay in adoption.overlays}
        for server in self.servers.values():
            for held in () if server.open is None else server.open.overlays:
                if held.id not in self.known.overlays and held.id not in adopted:
                    yield Difference(
                        DifferenceKind.OVERLAY_UNCLAIMED,
                        f"overlay {held.id}",
                        "-",
                        f"{held.export}, told {server.name}",
                        self._live([server.id], held.export, ()),
                    )

    def deleted(self, server: ServerId, held: HeldVersion) -> Difference:
        return Difference(
            DifferenceKind.VERSION_DELETED,
            f"version {held.name}",
            "deleted",
            "-",
            self._live([server], str(held.name), ((server, held),)),
        )

    def generations(self, heard: Iterable[Observation]) -> Iterator[Difference]:
        newer = [one for one in heard if one.generation > self.known.generation]
        if newer:
            highest = max(newer, key=lambda one: one.generation)
            yield Difference(
                DifferenceKind.GENERATION_NEWER,
                "farm",
                f"generation {self.known.generation}",
                f"generation {highest.generation}, told {self.name(highest.server_id)}",
                "-",
            )

    def _live(
        self,
        servers: Iterable[ServerId],
        export: str,
        holders: Iterable[tuple[ServerId, HeldVersion]],
    ) -> str:
        said = [
            f"{self.name(server)} {'has all of it' if held.is_complete else 'has some of it'}"
            f"{' and offers it' if held.is_offered else ''}"
            for server, held in holders
        ]
        devices = sorted(
            {
                device
                for server in servers
                for device, streamed in self.servers[server].streams
                if streamed == export
            }
        )
        if devices:
            said.append(f"{', '.join(devices)} {'stream' if len(devices) > 1 else 'streams'} it")
        return "; ".join(said) or "nobody streams it"

    def _names(self, servers: Iterable[ServerId]) -> str:
        return ", ".join(self.name(one) for one in servers)

    def name(self, server: ServerId) -> str:
        """Give a server's name."""
        return str(self.servers[server].name)
