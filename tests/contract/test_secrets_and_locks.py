from datetime import UTC, datetime
from pathlib import Path

import pytest

from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.application.ports.certificates import CertificateFiles
from corral.farm.application.ports.farm_key import FarmKey
from corral.farm.application.ports.image_locks import ImageLocks
from corral.farm.application.ports.secret_files import SecretFiles
from corral.farm.domain.access.token import Token
from corral.farm.domain.estate.certificate import Certificate
from corral.farm.domain.estate.errors import FarmKeyUnusableError
from corral.farm.domain.image.errors import ImageBusyError
from corral.farm.domain.image.image import image_name
from tests.contract.things import FARM, device, server

DEBIAN, FEDORA = image_name("debian"), image_name("fedora")


def test_lock_has_one_holder(image_locks: ImageLocks) -> None:
    with image_locks.hold(DEBIAN), pytest.raises(ImageBusyError, match="debian"):
        image_locks.hold(DEBIAN).__enter__()
    with image_locks.hold(DEBIAN):
        pass


def test_locks_of_two_images_are_two(image_locks: ImageLocks) -> None:
    with image_locks.hold(DEBIAN), image_locks.hold(FEDORA):
        assert image_locks.is_held(DEBIAN)
        assert image_locks.is_held(FEDORA)


def test_a_look_takes_nothing(image_locks: ImageLocks) -> None:
    assert not image_locks.is_held(DEBIAN)
    with image_locks.hold(DEBIAN):
        assert image_locks.is_held(DEBIAN)
    assert not image_locks.is_held(DEBIAN)


def test_lock_ends_with_the_block_however_it_ends(image_locks: ImageLocks) -> None:
    with pytest.raises(ZeroDivisionError), image_locks.hold(DEBIAN):
        1 / 0  # noqa: B018 - any error
    assert not image_locks.is_held(DEBIAN)


def test_key_that_was_never_made_cannot_be_used(farm_key: FarmKey) -> None:
    with pytest.raises(FarmKeyUnusableError):
        farm_key.public_key()


def test_key_signs_what_its_public_half_checks(farm_key: FarmKey) -> None:
    public_key = farm_key.create()
    assert farm_key.create() == public_key == farm_key.public_key()
    signature = farm_key.sign(b"message")
    assert len(signature) == 64
    assert signature == farm_key.sign(b"message")
    assert is_signed(public_key, b"message", signature)
    assert not is_signed(public_key, b"another", signature)
    assert not is_signed(bytes(32), b"message", signature)
    assert not is_signed(b"short", b"message", b"short")


def test_what_is_derived_follows_from_the_key_and_the_purpose(farm_key: FarmKey) -> None:
    farm_key.create()
    secret = farm_key.derive(b"one purpose", 48)
    assert len(secret) == 48
    assert secret == farm_key.derive(b"one purpose", 48)
    assert secret != farm_key.derive(b"another", 48)


def test_certificates_lie_where_others_see_them(certificate_files: CertificateFiles) -> None:
    assert certificate_files.of_api() is None
    shown = Certificate("PEM", ("192.0.2.1", "farm.example"), datetime(2026, 1, 1, tzinfo=UTC))
    certificate_files.put_api(shown)
    assert certificate_files.of_api() == shown
    assert certificate_files.put_root("ROOT") == certificate_files.put_root("ROOT")


def test_secrets_of_two_owners_are_two_files(secret_files: SecretFiles) -> None:
    one = secret_files.for_server(FARM, server("s1", 1), Token(bytes(32)), "")
    two = secret_files.for_server(FARM, server("s2", 2), Token(bytes(32)), "")
    three = secret_files.for_device(device("s1", 1).name, Token(bytes(32)), None)
    assert len({one, two, three}) == 3


def test_device_key_goes_where_it_is_told(secret_files: SecretFiles, tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "pc1.key"
    assert secret_files.for_device(device("pc1", 1).name, Token(bytes(32)), wanted) == wanted
