"""Accept what differs from the backup that the farm was restored from; what is newer is adopted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.application.look_at_restored import look_at_restored
from corral.farm.application.note_holdings import replica_of
from corral.farm.application.overlays_in_force import overlay_of
from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.backup.adoption import plan_adoption
from corral.farm.domain.backup.difference import DifferenceKind
from corral.farm.domain.backup.errors import (
    AcceptanceReasonMissingError,
    DifferenceChangedError,
    NothingToAcceptError,
)
from corral.farm.domain.computer.check_in import GivenOrders
from corral.farm.domain.image.change import ADOPT, VersionChange
from corral.farm.domain.image.image import Image, ImageId
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import (
    Access,
    Version,
    VersionName,
    VersionState,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.look_at_restored import RestoredLook
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.backup.adoption import AdoptedVersion, Adoption
    from corral.farm.domain.backup.difference import Difference
    from corral.farm.domain.backup.observation import HeldOverlay
    from corral.farm.domain.computer.computer import ComputerName
    from corral.farm.domain.estate.server import ServerId

ACCEPTED: Final = "farm.accept"
"""What the audit log calls it."""


@dataclass(frozen=True)
class ShownDifference:
    """What differs, as of one moment."""

    look: RestoredLook
    seen: str
    """A word for exactly this list, by which it can be accepted and no other."""

    @property
    def differences(self) -> Sequence[Difference]:
        """Give all."""
        return self.look.differences

    @property
    def observes(self) -> bool:
        """Whether the farm waits for somebody to accept it."""
        return self.look.restoration.accepted_at is None

    @property
    def waits(self) -> bool:
        """Whether there is something that accepting deals with."""
        return self.observes or any(one.open is not None for one in self.look.servers)


class ShowDifference:
    """Gives what the backup says, what the farm had said, and what is so."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> ShownDifference:
        """Give it; raises ``FarmNotRestoredError``."""
        with self._transactions.reading() as records:
            return _shown(look_at_restored(records, self._clock.now()))


class AcceptDifference:
    """Takes what is newer than the backup into the records, and ends the observing."""

    def __init__(
        self, transactions: Transactions, clock: Clock, ids: IdSource, actor: Actor
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._ids = ids
        self._actor = actor

    def __call__(
        self,
        because: str,
        seen: str | None = None,
        taking_from: Sequence[ComputerName] = (),
    ) -> ShownDifference:
        """Give what was accepted.

        Computers of ``taking_from`` are given orders though these take something from them.

        Raises ``FarmNotRestoredError``, ``NothingToAcceptError``, ``DifferenceChangedError`` if it
        is not what was ``seen``, ``AcceptanceReasonMissingError``, ``ComputerUnknownError``.
        """
        now = self._clock.now()
        if not because.strip():
            raise AcceptanceReasonMissingError
        with self._transactions.writing() as records:
            shown = _shown(look_at_restored(records, now))
            restoration = shown.look.restoration
            if seen is not None and seen != shown.seen:
                raise DifferenceChangedError
            if not shown.waits and not taking_from:
                raise NothingToAcceptError(restoration.accepted_by or "somebody")
            # First: whoever observes changes nothing, this least of all.
            records.restorations.put(
                replace(
                    restoration,
                    accepted_at=restoration.accepted_at or now,
                    accepted_by=restoration.accepted_by or str(self._actor),
                    because=restoration.because or because.strip(),
                )
            )
            adoption = plan_adoption(shown.look.remembered, shown.look.servers)
            self._adopt(records, adoption, now)
            for server in shown.look.servers:
                if server.open is not None:
                    records.observations.put(server.open.settled(now))
            for name in taking_from:
                _let_order(records, name, now)
            _count_above_all(records)
            facts = {"because": because.strip(), "seen": shown.seen}
            farm = records.farm.get()
            records.audit.note(Entry(now, self._actor, ACCEPTED, farm.name, None, facts))
        return shown

    def _adopt(self, records: Records, adoption: Adoption, now: datetime) -> None:
        for one in adoption.versions:
            self._adopt_version(records, one, now)
        for version, standing in adoption.standings:
            moved = _standing(version, standing, now).changed(str(self._actor), now)
            records.versions.move(version, moved)
            self._note(records, moved, now)
        for server_id, held in adoption.replicas:
            records.replicas.put(replica_of(server_id, held, now))
        for gone in adoption.gone:
            records.overlays.remove(gone)
        for server_id, overlay in adoption.overlays:
            self._adopt_overlay(records, server_id, overlay, now)
        spread_versions(records, now, [one.held.root for one in adoption.versions])

    def _adopt_version(self, records: Records, one: AdoptedVersion, now: datetime) -> None:
        held = one.held
        version = Version(
            image_id=self._image(records, one, now),
            name=one.name,
            root=held.root,
            size_bytes=held.size_bytes,
            signature=held.signature,
            published_at=now,
            description="adopted from servers after the farm was restored",
        )
        version = _standing(version, one.standing, now).changed(str(self._actor), now)
        records.versions.adopt(version)
        self._note(records, version, now)
        for server_id, theirs in one.holders:
            records.replicas.put(replica_of(server_id, theirs, now))

    def _image(self, records: Records, one: AdoptedVersion, now: datetime) -> ImageId:
        name = one.name.image
        known = records.images.find(name) or records.images.find_of_library(name)
        if known is not None:
            return known.id
        image = Image(
            id=ImageId(self._ids.new()),
            name=name,
            created_at=now,
            last_number=records.images.find_last_number(name),
            content=one.held.content,
        )
        records.images.add(image)
        return image.id

    def _adopt_overlay(
        self, records: Records, server_id: ServerId, held: HeldOverlay, now: datetime
    ) -> None:
        """Have its device go on with it, in place of what the backup says it wrote to."""
        name = VersionName.parse(held.export.partition("@")[0])
        bases = [one for one in records.versions.with_root(held.base) if one.is_published]
        base = next((one for one in bases if one.name.image == name.image), bases[0])
        for known in records.overlays.of_device(held.device_id):
            if (known.image_id, known.kind) == (base.image_id, held.kind):
                records.overlays.remove(known.id)
        records.overlays.add(overlay_of(held, server_id, base, now, str(self._actor)))

    def _note(self, records: Records, version: Version, now: datetime) -> None:
        change = VersionChange(version.image_id, version.number, now, str(self._actor), ADOPT)
        records.version_changes.note(change)


def _shown(look: RestoredLook) -> ShownDifference:
    """Name it by what does not change from one report to the next."""
    told = [
        (one.kind.code, one.thing, one.backup, one.said)
        for one in look.differences
        if one.kind is not DifferenceKind.DEVICE_UNKNOWN
    ]
    return ShownDifference(look, hashlib.sha256(repr(told).encode()).hexdigest()[:12])


def _standing(version: Version, standing: Standing, now: datetime) -> Version:
    """Give a version as it stands there, however it came to stand there."""
    match standing:
        case Standing.MAINTENANCE | Standing.TEST:
            return replace(
                version,
                access=Access(standing.value),
                state=VersionState.PUBLISHED,
                release_at=None,
                released_at=None,
            )
        case Standing.RETIRED:
            return replace(version, state=VersionState.RETIRED)
        case _:
            return replace(
                version,
                access=Access.PRODUCTION,
                state=VersionState.PUBLISHED,
                released_at=now if standing is Standing.PRODUCTION else None,
            )


def _let_order(records: Records, name: ComputerName, now: datetime) -> None:
    """Note that a computer is told what it is told, whatever it takes."""
    computer = records.computers.get(name)
    given = records.computer_orders.find(computer.id) or GivenOrders(
        computer.id, 0, b"", now, now, frozenset()
    )
    records.computer_orders.put(replace(given, given_at=now))


def _count_above_all(records: Records) -> None:
    """Count on above whatever anybody is known to follow: nobody believes what seems older."""
    seen = [one.generation for one in records.observations.all()]
    reports = (one.last_report for one in records.servers.all())
    seen.extend(one.generation for one in reports if one is not None)
    records.farm.raise_generation_to(max(seen, default=0) + 1)
