"""What the API shows: renewed in time, and in use for as long as nothing better is to be had."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory

from corral.farm.adapters.certificates import new_key
from corral.farm.adapters.memory.certificate_files import MemoryCertificateFiles
from corral.farm.application.certify import CertifyApi
from corral.farm.application.change_farm import FarmEdit
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import LIFE, RENEW_WITHIN, Certificate
from corral.farm.domain.estate.farm import checked_api_urls, farm_name
from corral.farm.domain.image.errors import DiskUnreadableError
from corral.farm.entrypoints.http.certificate import (
    FarmsCertificate,
    GivenCertificate,
    OwnCertificate,
)

LISTEN = Address("192.0.2.1", 10_800)


class FullDisk(MemoryCertificateFiles):
    """A folder that takes no more, for a while."""

    is_full = False

    def put_api(self, certificate: Certificate) -> None:
        if self.is_full:
            raise DiskUnreadableError(Path("/farm/api-certificate.json"), "no space left on device")
        super().put_api(certificate)


@pytest.fixture
def files() -> FullDisk:
    return FullDisk()


def certifying(farm: FarmInMemory, files: FullDisk) -> CertifyApi:
    return CertifyApi(farm.ports.certificate_authority, files, farm.ports.clock)


def test_a_certificate_that_cannot_be_renewed_stays_in_use(
    farm: FarmInMemory, files: FullDisk
) -> None:
    shown = FarmsCertificate(
        certifying(farm, files),
        lambda: farm.application.show_farm().farm,
        LISTEN,
        ("bücher.example",),
        farm.ports.clock,
    )
    first = shown.context()
    noted = files.of_api()
    assert noted is not None
    assert "xn--bcher-kva.example" in noted.hosts
    assert shown.context() is first
    files.is_full = True
    farm.wait((LIFE - RENEW_WITHIN + timedelta(days=1)).total_seconds())
    assert shown.context() is first
    files.is_full = False
    # Not tried for each connection anew.
    assert shown.context() is first
    farm.wait(61)
    assert shown.context() is not first


def test_a_farm_that_is_reached_elsewhere_gets_another_certificate(
    farm: FarmInMemory, files: FullDisk
) -> None:
    shown = FarmsCertificate(
        certifying(farm, files),
        lambda: farm.application.show_farm().farm,
        LISTEN,
        ("bücher.example",),
        farm.ports.clock,
    )
    first = shown.context()
    farm.application.change_farm(FarmEdit(api_urls=checked_api_urls(["https://192.0.2.7:10800"])))
    second = shown.context()
    assert second is not first
    assert shown.context() is second
    noted = files.of_api()
    assert noted is not None
    assert "192.0.2.7" in noted.hosts
    # A new name is no reason for a new certificate.
    farm.application.change_farm(FarmEdit(name=farm_name("works")))
    assert shown.context() is second


def test_one_that_was_made_by_a_clock_far_ahead_is_made_again(
    farm: FarmInMemory, files: FullDisk
) -> None:
    shown = FarmsCertificate(
        certifying(farm, files),
        lambda: farm.application.show_farm().farm,
        LISTEN,
        (),
        farm.ports.clock,
    )
    farm.wait(86_400 * 365)
    first = shown.context()
    farm.wait(-86_400 * 365)
    assert shown.context() is not first


def test_without_any_certificate_the_reason_is_told(farm: FarmInMemory, files: FullDisk) -> None:
    files.is_full = True
    shown = FarmsCertificate(
        certifying(farm, files),
        lambda: farm.application.show_farm().farm,
        LISTEN,
        (),
        farm.ports.clock,
    )
    with pytest.raises(DiskUnreadableError, match="no space left"):
        shown.context()


def test_an_administrators_new_certificate_is_shown_though_it_cannot_be_noted(
    farm: FarmInMemory, files: FullDisk, tmp_path: Path
) -> None:
    own = OwnCertificate(tmp_path / "own.pem", tmp_path / "own.key")
    of = farm.application.show_farm().farm

    def put() -> None:
        private, public = new_key()
        now = farm.ports.clock.now()
        made = farm.ports.certificate_authority.issue(of, "API", ("192.0.2.1",), public, now)
        own.key.write_text(private)
        own.certificate.write_text(made.text)

    put()
    shown = GivenCertificate(own, certifying(farm, files))
    first = shown.context()
    files.is_full = True
    put()
    assert shown.context() is not first
