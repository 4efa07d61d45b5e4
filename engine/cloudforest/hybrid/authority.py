"""The certificate authority of a control plane, and its private keys.

Keys are files of mode 0600, never in the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.files import read_or_create, write_private_file

AGENT_DAYS = 90
SERVER_DAYS = 365
CA_DAYS = 3650
LOOPBACK = (x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost"))

_CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of an agent may be behind ours when it enrols."""

_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def read_or_create_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the P-256 key in this file; create the file if it is missing."""
    data = read_or_create(
        path, lambda: private_pem(ec.generate_private_key(ec.SECP256R1()))
    )
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except ValueError as error:
        raise Misconfigured(f'No private key in "{path}": {error}.') from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Misconfigured(f'The key in "{path}" is not on the curve P-256.')
    return key


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass(frozen=True)
class CertificateAuthority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return certificate_pem(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER certificate, in hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def issue_agent_certificate(
        self, csr: str, agent: str, now: datetime
    ) -> x509.Certificate:
        """Certify the key of a PEM signing request, for the name `agent`."""
        return self._issue(
            agent,
            _read_requested_key(csr),
            now=now,
            days=AGENT_DAYS,
            extensions=(
                x509.SubjectAlternativeName([x509.DNSName(agent)]),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
            ),
        )

    def write_server_files(self, folder: Path, now: datetime) -> datetime:
        """Certify a new key for 127.0.0.1 and localhost; return its expiry.

        Writes `server.pem`, `server.key` and `ca.pem` (0600).
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(
            "cloudforest bus",
            key.public_key(),
            now=now,
            days=SERVER_DAYS,
            extensions=(
                x509.SubjectAlternativeName(LOOPBACK),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            ),
        )
        write_private_file(folder / "server.pem", certificate_pem(certificate).encode())
        write_private_file(folder / "server.key", private_pem(key))
        write_private_file(folder / "ca.pem", self.pem.encode())
        return certificate.not_valid_after_utc

    def _issue(
        self,
        name: str,
        key: CertificatePublicKeyTypes,
        *,
        now: datetime,
        days: int,
        extensions: tuple[x509.ExtensionType, ...],
    ) -> x509.Certificate:
        ca_key = self.key.public_key()
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key)
        leaf = x509.BasicConstraints(ca=False, path_length=None)
        builder = (
            _certificate_builder(name, key, now=now, days=days)
            .issuer_name(self.certificate.subject)
            .add_extension(leaf, critical=True)
        )
        for extension in (issuer, *extensions):
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def open_authority(keys: Path, now: datetime) -> CertificateAuthority:
    """Read the key and certificate of the CA in STATE/keys, or create them."""
    key = read_or_create_key(keys / "ca.key")
    data = read_or_create(
        keys / "ca.pem",
        lambda: certificate_pem(_make_ca_certificate(key, now)).encode(),
    )
    return CertificateAuthority(x509.load_pem_x509_certificate(data), key)


def _make_ca_certificate(
    key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    name = "cloudforest control plane"
    return (
        _certificate_builder(name, key.public_key(), now=now, days=CA_DAYS)
        .issuer_name(_x509_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .sign(key, hashes.SHA256())
    )


def _certificate_builder(
    name: str, key: CertificatePublicKeyTypes, *, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_x509_name(name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _x509_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _read_requested_key(csr: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        valid = request.is_signature_valid
        key = request.public_key()
    except ValueError as error:
        raise Rejected("The signing request is not in PEM.") from error
    if not valid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise Rejected(
            "The signing request is not signed by its own P-256 key. Enrol again."
        )
    if not isinstance(key.curve, ec.SECP256R1):
        raise Rejected("The key of the signing request is not on the curve P-256.")
    return key


def certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
