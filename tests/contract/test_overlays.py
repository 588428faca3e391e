"""What devices write over versions, in every database."""

from dataclasses import replace
from uuid import UUID

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.image.overlay import (
    Overlay,
    OverlayCondition,
    OverlayId,
    OverlayKind,
    OverlayPhase,
    Promotion,
    SeenOverlay,
)
from corral.farm.domain.image.overlay_errors import OverlayChangedError, OverlayUnknownError
from corral.farm.domain.image.version import Access, VersionNumber
from tests.contract.things import NOW, device, image, later, root, server

DEBIAN, S1, S2, PC1, PC2 = (
    image("debian", 1),
    server("s1", 1),
    server("s2", 2),
    device("pc1", 1),
    device("pc2", 2),
)
SEEN = SeenOverlay(
    later(9),
    OverlayCondition.FULL,
    1 << 41,
    1 << 40,
    1,
    "no space",
    root(5),
    1 << 43,
    1 << 42,
    1 << 43,
)


def overlay(number: int, **changed: object) -> Overlay:
    made = Overlay(
        id=OverlayId(UUID(int=500 + number)),
        kind=OverlayKind.SERVER_PERSISTENT,
        image_id=DEBIAN.id,
        number=VersionNumber(3),
        device_id=PC1.id,
        server_id=S1.id,
        base=root(1),
        size_bytes=1 << 43,
        limit_bytes=1 << 42,
        created_at=later(number),
        created_by="été ✓",
    )
    return replace(made, **changed)  # type: ignore[arg-type] # what a test names


@pytest.fixture(autouse=True)
def _farm(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.images.add(DEBIAN)
        for one in (S1, S2):
            records.servers.add(one)
        for of in (PC1, PC2):
            records.devices.add(of)


def test_overlays_are_found_by_all_that_they_belong_to(transactions: Transactions) -> None:
    first, second = overlay(2), overlay(1, device_id=PC2.id, server_id=S2.id, base=root(2))
    with transactions.writing() as records:
        records.overlays.add(first)
        records.overlays.add(second)
    with transactions.reading() as records:
        overlays = records.overlays
        assert overlays.all() == overlays.of_image(DEBIAN.id) == [second, first]
        assert overlays.of_server(S1.id) == overlays.of_device(PC1.id) == [first]
        assert overlays.of_base(root(2)) == overlays.of_server(S2.id) == [second]
        assert overlays.with_id(first.id) == overlays.find(first.id) == first
        assert overlays.find(OverlayId(UUID(int=9))) is None
        with pytest.raises(OverlayUnknownError):
            overlays.with_id(OverlayId(UUID(int=9)))


def test_a_change_and_what_a_server_says_do_not_overwrite_each_other(
    transactions: Transactions,
) -> None:
    made = overlay(1)
    promotion = Promotion(Access.PRODUCTION, later(60), "with Firefox", "anna")
    after = made.opened(later(2)).sealing(promotion).changed()
    with transactions.writing() as records:
        records.overlays.add(made)
        records.overlays.set_seen(made.id, SEEN)
        records.overlays.change(made, after)
    with transactions.writing() as records:
        known = records.overlays.with_id(made.id)
        assert known == replace(after, seen=SEEN)
        assert (known.phase, known.opened_at) == (OverlayPhase.SEALING, later(2))
        records.overlays.set_seen(made.id, SeenOverlay(NOW, OverlayCondition.READY))
        assert records.overlays.with_id(made.id).promotion == promotion
        with pytest.raises(OverlayChangedError):
            records.overlays.change(made, after)


def test_what_is_removed_is_gone_and_nobody_minds_twice(transactions: Transactions) -> None:
    made = overlay(1)
    with transactions.writing() as records:
        records.overlays.add(made)
        records.overlays.remove(made.id)
        records.overlays.remove(made.id)
        assert records.overlays.all() == []
        with pytest.raises(OverlayUnknownError):
            records.overlays.set_seen(made.id, SEEN)


def test_what_is_known_of_a_device_goes_with_it(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.device_caches.set_setting(PC1.id, None)
        records.device_caches.remove(PC1.id)
        records.device_caches.remove(PC1.id)
        records.devices.remove(PC1.id)
    with transactions.reading() as records:
        assert records.devices.all() == [PC2]
