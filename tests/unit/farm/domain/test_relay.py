"""What comes to a relay, what goes from it, and when it serves."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.access.token import Token
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.relay import (
    Copied,
    RelayNeedsManagementError,
    RelayReleaseDiffersError,
    mirror,
    refuse_other_release,
)
from corral.farm.domain.estate.server import LastReport, Server, ServerId, server_name
from corral.farm.domain.estate.store import FolderId, StoreFolder
from corral.farm.domain.image.root import RootHash

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

ROOTS = st.integers(1, 12).map(lambda number: RootHash(f"{number:064x}"))
COPIED = st.lists(
    st.builds(Copied, ROOTS, st.booleans(), is_leaving=st.booleans()),
    max_size=10,
    unique_by=lambda one: one.root,
)
RELAY = Server(
    id=ServerId(UUID(int=1)),
    name=server_name("paris"),
    store=StoreFolder(FolderId(UUID(int=2)), Path("/srv")),
    listen=(Address("192.0.2.7", 10_809),),
    advertised=(Address("192.0.2.7", 10_809),),
    chunks_listen=Address("192.0.2.7", 10_901),
    chunks_advertised=Address("192.0.2.7", 10_901),
    token_digest=Token(b"T" * 32).digest(),
    added_at=NOON,
    management=Address("192.0.2.7", 10_802),
    relay=True,
)


@given(st.frozensets(ROOTS, max_size=10), COPIED)
def test_what_was_done_leaves_nothing_to_do(
    assigned: frozenset[RootHash], copied: list[Copied]
) -> None:
    first = mirror(assigned, copied)
    done = [replace(one, is_leaving=one.is_leaving or one.root in first.goes) for one in copied]
    done += [Copied(root, may_go=True) for root in first.comes]
    assert not mirror(assigned, done)
    gone = [one for one in done if not one.is_leaving]
    assert assigned <= {one.root for one in gone} | mirror(assigned, gone).comes


@given(st.frozensets(ROOTS, max_size=10), COPIED, st.booleans())
def test_nothing_goes_that_is_assigned_or_must_stay(
    assigned: frozenset[RootHash],
    copied: list[Copied],
    takes_copies: bool,  # noqa: FBT001 - drawn
) -> None:
    wanted = mirror(assigned, copied, takes_copies=takes_copies)
    known = {one.root: one for one in copied}
    assert not wanted.goes & assigned
    assert all(known[root].may_go and not known[root].is_leaving for root in wanted.goes)
    assert not wanted.comes & known.keys()
    assert takes_copies or not wanted.comes


def test_a_relay_is_reached_by_tls_unless_only_its_machine_reaches_it() -> None:
    assert RELAY.relay_url == "https://192.0.2.7:10802"
    here = replace(RELAY, management=Address("127.0.0.1", 10_802))
    assert here.relay_url == "http://127.0.0.1:10802"
    assert replace(RELAY, relay=False).relay_url is None
    with pytest.raises(RelayNeedsManagementError):
        replace(RELAY, management=None)


def test_no_device_is_sent_to_a_relay() -> None:
    online = replace(RELAY, last_report=LastReport(NOON, 0))
    assert not online.takes_devices(NOON)
    assert replace(online, relay=False).takes_devices(NOON)


def test_a_relay_of_another_release_says_which_both_are() -> None:
    refuse_other_release("paris", "1.4.0", "1.4.0")
    with pytest.raises(RelayReleaseDiffersError, match=r"of release 1\.4\.0, its farm of 1\.5\.0"):
        refuse_other_release("paris", "1.4.0", "1.5.0")
