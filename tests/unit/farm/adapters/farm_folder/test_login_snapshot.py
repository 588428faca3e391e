import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.domain.access.token import Token
from corral.farm.domain.delivery.errors import LoginAwaitsFarmError, LoginsUnusableError
from corral.wire.login import LoginAnswer, RankedServer, WriteCache
from corral.wire.logins import KnownDevice, LoginSnapshot, SignedLogins, signed_message

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = Token(b"K" * 32)
ROOT = "ab" * 32


@pytest.fixture
def farm_key() -> MemoryFarmKey:
    key = MemoryFarmKey()
    key.create()
    return key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logins.json"


@pytest.fixture
def kept(path: Path, farm_key: MemoryFarmKey) -> KeptLogins:
    return KeptLogins(path, farm_key.public_key())


def snapshot(
    key: MemoryFarmKey, taken: datetime = NOW, life: timedelta | None = None
) -> SignedLogins:
    expires = taken + (life or timedelta(days=7))
    answer = LoginAnswer(
        device="pc1",
        export="debian/1",
        root=ROOT,
        size_bytes=4096,
        ticket="t",
        expires_at=int(expires.timestamp()),
        write_cache=WriteCache.DEVICE_RAM,
        servers=(RankedServer(name="s1", addresses=("192.0.2.1:10809",)),),
    )
    digest = base64.b64encode(KEY.digest().value).decode()
    text = LoginSnapshot(
        farm=UUID(int=1),
        generation=3,
        taken_at=int(taken.timestamp()),
        devices=(KnownDevice(name="pc1", key_digest=digest, answer=answer),),
    ).model_dump_json()
    signature = base64.b64encode(key.sign(signed_message(text))).decode()
    return SignedLogins(snapshot=text, signature=signature)


def test_device_is_answered_and_told_how_old_the_answer_is(
    kept: KeptLogins, farm_key: MemoryFarmKey
) -> None:
    kept.keep(snapshot(farm_key))
    later = NOW + timedelta(days=1)
    for running in (None, ROOT):
        answer = kept.answer("pc1", KEY, running, later)
        assert answer.export == "debian/1"
        assert answer.answered_from == int(NOW.timestamp())
    assert kept.taken_at == NOW
    assert (kept.generation, kept.device_count) == (3, 1)


def test_file_outlives_the_process_and_is_private(
    kept: KeptLogins, path: Path, farm_key: MemoryFarmKey
) -> None:
    kept.keep(snapshot(farm_key))
    assert path.stat().st_mode & 0o777 == 0o600
    again = KeptLogins(path, farm_key.public_key())
    assert again.load()
    assert again.answer("pc1", KEY, None, NOW).export == "debian/1"


def test_no_file_is_no_error_and_no_answer(kept: KeptLogins) -> None:
    assert not kept.load()
    with pytest.raises(LoginAwaitsFarmError):
        kept.answer("pc1", KEY, None, NOW)


def test_wrong_key_unknown_device_and_another_version_are_told_the_same(
    kept: KeptLogins, farm_key: MemoryFarmKey
) -> None:
    kept.keep(snapshot(farm_key))
    said = set()
    for device, key, running in (
        ("pc1", Token(b"X" * 32), None),
        ("pc2", Token(b"X" * 32), None),
        ("pc2", KEY, None),
        ("pc1", Token(b"X" * 32), ROOT),
        ("pc1", KEY, "cd" * 32),
        # What a device that is not there is compared with opens nothing.
        ("pc2", Token(bytes(32)), None),
    ):
        with pytest.raises(LoginAwaitsFarmError, match=device) as refusal:
            kept.answer(device, key, running, NOW)
        said.add(refusal.value.message.replace(device, "NAME"))
    assert len(said) == 1


def test_ticket_that_has_ended_is_not_given_out(kept: KeptLogins, farm_key: MemoryFarmKey) -> None:
    kept.keep(snapshot(farm_key, life=timedelta(hours=1)))
    with pytest.raises(LoginAwaitsFarmError):
        kept.answer("pc1", KEY, None, NOW + timedelta(hours=2))


def test_it_tells_how_long_it_is_of_use(kept: KeptLogins, farm_key: MemoryFarmKey) -> None:
    assert kept.ends(NOW) == ()
    kept.keep(snapshot(farm_key, life=timedelta(hours=1)))
    end = (NOW + timedelta(hours=1)).replace(microsecond=0)
    assert kept.ends(NOW) == (end,)
    assert kept.ends(end) == ()


def test_what_the_farm_has_not_signed_is_refused_and_the_last_one_stays(
    kept: KeptLogins, path: Path, farm_key: MemoryFarmKey
) -> None:
    kept.keep(snapshot(farm_key))
    stranger = MemoryFarmKey()
    stranger.create()
    forged = snapshot(farm_key, NOW + timedelta(hours=1))
    forged = forged.model_copy(
        update={"snapshot": forged.snapshot.replace("192.0.2.1", "192.0.2.9")}
    )
    for wrong in (snapshot(stranger, NOW + timedelta(hours=1)), forged):
        with pytest.raises(LoginsUnusableError, match="signed"):
            kept.keep(wrong)
        path.write_text(wrong.model_dump_json())
        with pytest.raises(LoginsUnusableError, match="signed"):
            kept.load()
    assert kept.answer("pc1", KEY, None, NOW).servers[0].addresses == ("192.0.2.1:10809",)


def test_older_one_does_not_replace_a_newer_one(kept: KeptLogins, farm_key: MemoryFarmKey) -> None:
    kept.keep(snapshot(farm_key))
    with pytest.raises(LoginsUnusableError, match="older"):
        kept.keep(snapshot(farm_key, NOW - timedelta(minutes=1)))


def test_file_that_is_none_is_said(kept: KeptLogins, path: Path) -> None:
    path.write_text('{"format": 1, "snapshot": "no')
    with pytest.raises(LoginsUnusableError) as refused:
        kept.load()
    assert "logins.json" in refused.value.message
