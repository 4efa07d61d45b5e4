"""The certificate authority of one control plane: it knows agents and its own bus.

The private keys of the control plane: files of mode 0600, never in the store.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.files import read_or_create, write_private_file


def read_or_create_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the P-256 key in this file, or make it."""
    data = read_or_create(path, _new_key_pem)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except ValueError as error:
        raise Misconfigured(f"{path} holds no private key ({error}).") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Misconfigured(f"{path} holds a key of another kind; P-256 is needed.")
    return key


def _new_key_pem() -> bytes:
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


AGENT_DAYS = 90
SERVER_DAYS = 365
CA_DAYS = 3650
LOOPBACK = ("127.0.0.1", "localhost")

_CLOCK_SKEW = timedelta(minutes=5)
"""How far an agent's clock may be behind ours when it first sees its certificate."""

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


@dataclass(frozen=True)
class ServerFiles:
    """PEM files for a TLS server of ours, and when the certificate ends."""

    certificate: Path
    key: Path
    ca: Path
    expires: datetime


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
        """Certify the key of a PEM signing request; the name is ours to give."""
        key = _read_requested_key(csr)
        return self._issue(
            agent,
            key,
            now=now,
            days=AGENT_DAYS,
            extensions=(
                x509.SubjectAlternativeName([x509.DNSName(agent)]),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
            ),
        )

    def write_server_files(self, folder: Path, now: datetime) -> ServerFiles:
        """Certify a new key for 127.0.0.1 and localhost, and write both (0600)."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(
            "cloudforest bus",
            key.public_key(),
            now=now,
            days=SERVER_DAYS,
            extensions=(
                x509.SubjectAlternativeName([_general_name(each) for each in LOOPBACK]),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            ),
        )
        files = ServerFiles(
            folder / "server.pem",
            folder / "server.key",
            folder / "ca.pem",
            certificate.not_valid_after_utc,
        )
        write_private_file(files.certificate, certificate_pem(certificate).encode())
        write_private_file(files.key, private_pem(key))
        write_private_file(files.ca, self.pem.encode())
        return files

    def _issue(
        self,
        name: str,
        key: CertificatePublicKeyTypes,
        *,
        now: datetime,
        days: int,
        extensions: tuple[x509.ExtensionType, ...],
    ) -> x509.Certificate:
        builder = _certificate_builder(name, key, now=now, days=days).issuer_name(
            self.certificate.subject
        )
        builder = builder.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
            critical=False,
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def open_authority(keys: Path, now: datetime) -> CertificateAuthority:
    """Read the CA's key and certificate in STATE/keys, or make them."""
    key = read_or_create_key(keys / "ca.key")
    data = read_or_create(
        keys / "ca.pem",
        lambda: certificate_pem(_make_ca_certificate(key, now)).encode(),
    )
    return CertificateAuthority(x509.load_pem_x509_certificate(data), key)


def new_authority(now: datetime) -> CertificateAuthority:
    """Make one that is kept nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    return CertificateAuthority(_make_ca_certificate(key, now), key)


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


def _general_name(text: str) -> x509.GeneralName:
    if text[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(text))
    return x509.DNSName(text)


def _read_requested_key(csr: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        valid = request.is_signature_valid
        key = request.public_key()
    except ValueError as error:
        raise Rejected("That is not a certificate signing request in PEM.") from error
    if not valid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise Rejected(
            "The signing request is not signed by its own P-256 key; enrol again."
        )
    if not isinstance(key.curve, ec.SECP256R1):
        raise Rejected("The signing request's key is not on the curve P-256.")
    return key


def certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
