"""X.509: the farm's authority, derived from its key; reading what others have made."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from corral.farm.domain.estate.certificate import (
    BACKDATED,
    LIFE,
    Certificate,
    CertificateKeyInvalidError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.domain.estate.farm import Farm

_PURPOSE: Final = b"corral certificate authority 1"
# The order of P-256 (FIPS 186-4, D.1.2.3).
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# "No well-defined expiration date" (RFC 5280, 4.1.2.5): the root ends with the farm's key.
_NEVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_HASH: Final = hashes.SHA256()
_MOST_HOSTS: Final = 64


class DerivedAuthority:
    """An authority on P-256 whose private key follows from the farm's key."""

    def __init__(self, key: FarmKey) -> None:
        self._farm_key = key

    def root(self, farm: Farm) -> str:
        """Give the root certificate: the same bytes from the same key."""
        key = self._key()
        name = _name_of(farm)
        known = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(farm.created_at - BACKDATED)
            .not_valid_after(_NEVER)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(known, critical=False)
        )
        made = builder.sign(key, _HASH, ecdsa_deterministic=True)
        return made.public_bytes(Encoding.PEM).decode("ascii")

    def issue(
        self, farm: Farm, name: str, hosts: Iterable[str], public_key: str, now: datetime
    ) -> Certificate:
        """Certify a public key."""
        key, certified = self._key(), _public_key(public_key)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        chosen = tuple(hosts)[:_MOST_HOSTS]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
            .issuer_name(_name_of(farm))
            .public_key(certified)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(authority, critical=False)
            .add_extension(x509.SubjectAlternativeName(map(_host, chosen)), critical=False)
        )
        made = builder.sign(key, _HASH)
        return _certificate(made, made.public_bytes(Encoding.PEM).decode("ascii"))

    def _key(self) -> ec.EllipticCurvePrivateKey:
        # Sixteen bytes more than the order has, so that the remainder is as good as even.
        number = int.from_bytes(self._farm_key.derive(_PURPOSE, 48), "big")
        return ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())


def new_key() -> tuple[str, str]:
    """Make a key pair for a process; give the private and the public half in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode("ascii"), public.decode("ascii")


def read_certificate(text: str) -> Certificate:
    """Read a certificate in PEM, whoever made it; raises ``ValueError`` for anything else."""
    return _certificate(x509.load_pem_x509_certificate(text.encode()), text)


def _certificate(made: x509.Certificate, text: str) -> Certificate:
    hosts: tuple[str, ...] = ()
    try:
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        addresses = map(str, names.get_values_for_type(x509.IPAddress))
        hosts = (*addresses, *names.get_values_for_type(x509.DNSName))
    return Certificate(text, tuple(sorted(hosts)), made.not_valid_after_utc)


def _name_of(farm: Farm) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Corral farm {farm.id}")])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host if host.isascii() else host.encode("idna").decode("ascii"))


def _public_key(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, TypeError) as error:
        reason = "it is not a public key in PEM"
        raise CertificateKeyInvalidError(reason) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        reason = "it is of another kind"
        raise CertificateKeyInvalidError(reason)
    return key


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
