"""Backups and their rules, in every kind of records."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from corral.farm.application.ports.backups import Restoration
from corral.farm.application.ports.records import Transactions
from corral.farm.domain.backup.backup import Backup, BackupId, BackupRules, Recipient, Retention
from corral.farm.domain.backup.errors import BackupUnknownError
from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion, Observation
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.image.image import Content
from corral.farm.domain.image.overlay import OverlayId, OverlayKind
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import VersionName
from tests.contract.things import FARM, NOW, later, root


def backup(number: int) -> Backup:
    return Backup(
        id=BackupId(UUID(int=number)),
        path=Path(f"/backups/{number}.corral-backup"),
        taken_at=later(number),
        size_bytes=1 << 40,
        release="0.1.0",
        schema="0037",
        by="account ada",
        has_chunks=number == 2,
    )


def test_backups_come_oldest_first_and_are_forgotten(transactions: Transactions) -> None:
    with transactions.writing() as records:
        for number in (3, 1, 2):
            records.backups.add(backup(number))
        records.backups.set_verified(backup(1).id, later(8), "5.0")
        records.backups.set_verified(backup(1).id, later(9))
        records.backups.remove(backup(3).id)
        records.backups.remove(backup(3).id)
    with transactions.reading() as records:
        assert records.backups.all() == [
            replace(backup(1), verified_at=later(9), read_by="5.0"),
            backup(2),
        ]
        assert records.backups.with_id(backup(2).id) == backup(2)
        with pytest.raises(BackupUnknownError):
            records.backups.with_id(backup(3).id)


def test_backups_go_nowhere_until_somebody_says_where(transactions: Transactions) -> None:
    rules = BackupRules(
        folder=Path("/backups"),
        recipients=(Recipient("age1one"), Recipient("age1two")),
        with_chunks=True,
        retention=Retention(3, 2, 1),
        too_old_days=5,
    )
    with transactions.writing() as records:
        assert records.backup_rules.get() == BackupRules()
        records.backup_rules.change(BackupRules(), rules)
        records.backup_rules.change(records.backup_rules.get(), rules)
    with transactions.reading() as records:
        assert records.backup_rules.get() == replace(rules, revision=3)


def test_the_last_restoration_is_known(transactions: Transactions) -> None:
    first = Restoration(backup(1).id, NOW, later(1))
    second = Restoration(
        *(backup(2).id, later(2), later(3), 1 << 50, later(4), "account ada", "the disk broke")
    )
    with transactions.writing() as records:
        assert records.restorations.find() is None
        records.restorations.put(first)
        records.restorations.put(second)
    with transactions.reading() as records:
        assert records.restorations.find() == second


def test_what_servers_said_since_is_known_until_the_next_restoration(
    transactions: Transactions,
) -> None:
    one = Observation(
        server_id=ServerId(UUID(int=1)),
        heard_at=NOW,
        generation=1 << 50,
        versions=(
            HeldVersion(VersionName.parse("debian/2"), root(2), b"signed", 1 << 40),
            HeldVersion(
                *(VersionName.parse("kit.farm/1"), root(3), b"signed", 7, Standing.RETIRED),
                content=Content.KIT,
                is_offered=True,
                is_complete=True,
            ),
        ),
        overlays=(
            HeldOverlay(
                id=OverlayId(UUID(int=5)),
                export="debian/1@pc1",
                base=root(1),
                device_id=DeviceId(UUID(int=6)),
                kind=OverlayKind.MAINTENANCE,
                limit_bytes=1 << 40,
            ),
        ),
    )
    other = Observation(ServerId(UUID(int=2)), NOW, 0)
    with transactions.writing() as records:
        assert records.observations.find(one.server_id) is None
        records.observations.put(other)
        records.observations.put(replace(one, versions=()))
        records.observations.put(one)
    with transactions.writing() as records:
        assert records.observations.all() == [one, other]
        records.observations.put(other.settled(later(1)))
    with transactions.writing() as records:
        assert records.observations.find(other.server_id) == other.settled(later(1))
        records.observations.forget_all()
        assert records.observations.all() == []


def test_a_generation_is_raised_above_everything_that_was_said(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.farm.set_up(FARM)
        records.farm.raise_generation_to(1 << 50)
        assert records.farm.get().generation == 1 << 50
        records.farm.raise_generation_to(7)
        assert records.farm.get().generation == (1 << 50) + 1
        records.farm.raise_generation()
    with transactions.reading() as records:
        assert records.farm.get().generation == (1 << 50) + 2
