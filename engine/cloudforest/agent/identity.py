"""The identity of an agent: its folder, its key, enrolment, and proofs by the key.

The key never leaves the agent's host.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.files import read_bounded, write_private_file
from cloudforest.base.nkey import NKey, new_user_key
from cloudforest.model.identity import (
    ASSERTION_ALGORITHM,
    ASSERTION_AUDIENCE,
    ASSERTION_SECONDS,
    BootstrapRequest,
    BootstrapResponse,
    EnrolRequest,
    EnrolResponse,
    decode_token,
)


class AgentFolder:
    """STATE/agents/NAME: key, certificates, bindings; only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key = path / "key.pem"
        self.certificate = path / "certificate.pem"
        self.ca = path / "ca.pem"
        self.bindings = path / "bindings.json"

    @property
    def is_enrolled(self) -> bool:
        return self.certificate.exists()

    def write(self, path: Path, data: bytes) -> None:
        try:
            write_private_file(path, data)
        except OSError as error:
            raise Misconfigured(
                f'Cannot write "{path}": {error.strerror}. Let the user of the agent '
                "write there."
            ) from error

    def read(self, path: Path) -> bytes:
        try:
            return read_bounded(path)
        except FileNotFoundError:
            raise Misconfigured(
                f'"{path}" is missing. Enrol the agent with a token from '
                f"`cloudforest agent token {self.path.name}`."
            ) from None
        except OSError as error:
            raise Misconfigured(f'Cannot read "{path}": {error.strerror}.') from error


def agent_folder(state: Path, name: str) -> AgentFolder:
    return AgentFolder(state / "agents" / name)


class ControlPlane(Protocol):
    """The control plane over HTTP; raises Unavailable, Rejected or Refused."""

    async def enrol(self, request: EnrolRequest) -> EnrolResponse: ...

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse: ...


@dataclass(frozen=True)
class AgentIdentity:
    """Stored in `folder`, except `bus_key`: new in each process, only in memory."""

    id: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate
    folder: AgentFolder
    bus_key: NKey = field(default_factory=new_user_key)

    def make_assertion(self, now: datetime) -> str:
        """Return a proof of identity (RFC 7519), valid once and for a minute."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        claims = {
            "iss": self.id,
            "aud": ASSERTION_AUDIENCE,
            "jti": uuid.uuid4().hex,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(seconds=ASSERTION_SECONDS)).timestamp()),
        }
        return jwt.encode(
            claims,
            self.key,
            algorithm=ASSERTION_ALGORITHM,
            headers={"x5c": [base64.b64encode(der).decode()]},
        )

    def renewal_request(self, now: datetime) -> str | None:
        """Return a signing request in the last third of the certificate's life."""
        begins = self.certificate.not_valid_before_utc
        ends = self.certificate.not_valid_after_utc
        due = ends - now < (ends - begins) / 3
        return _make_csr(self.key, self.id) if due else None

    def with_certificate(self, pem: str) -> AgentIdentity:
        """Store a renewed certificate; return the identity with it.

        Raises Rejected unless the CA of the enrolment issued it.
        """
        ca = self.folder.read(self.folder.ca)
        certificate = _check_issued(pem.encode(), ca, self.id, self.key)
        self.folder.write(self.folder.certificate, pem.encode())
        return replace(self, certificate=certificate)


def load_identity(folder: AgentFolder) -> AgentIdentity:
    """Load the identity; raises Misconfigured if the agent is not enrolled here."""
    try:
        key = serialization.load_pem_private_key(folder.read(folder.key), None)
        certificate = x509.load_pem_x509_certificate(folder.read(folder.certificate))
    except ValueError as error:
        raise Misconfigured(f'No usable key in "{folder.path}": {error}.') from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Misconfigured(f'"{folder.key}" is not a P-256 key. Enrol again.')
    if certificate.public_key() != key.public_key():
        raise Misconfigured(
            f'"{folder.certificate}" does not match the key beside it, as after an '
            "interrupted enrolment. Enrol the agent again."
        )
    return AgentIdentity(_common_name(certificate), key, certificate, folder)


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value)


async def enrol(
    control: ControlPlane, folder: AgentFolder, token: str
) -> AgentIdentity:
    """Create a key, get its certificate, and store both; uses up the token.

    Raises Rejected if the certificate is not from the CA that the token names.
    """
    expected = decode_token(token)
    key = ec.generate_private_key(ec.SECP256R1())
    csr = _make_csr(key, expected.agent)
    response = await control.enrol(EnrolRequest(token=token, csr=csr))
    pem, ca = response.certificate.encode(), response.ca.encode()
    certificate = _check_issued(pem, ca, expected.agent, key)
    fingerprint = x509.load_pem_x509_certificate(ca).fingerprint(hashes.SHA256())
    if fingerprint.hex() != expected.fingerprint:
        raise Rejected(
            "Another control plane answered than the one that issued the token: the "
            f"fingerprint of its CA is not {expected.fingerprint}. Check --control, "
            "and any proxy on the way."
        )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    folder.write(folder.key, private)
    folder.write(folder.ca, ca)
    folder.write(folder.certificate, pem)
    return AgentIdentity(expected.agent, key, certificate, folder)


def _make_csr(key: ec.EllipticCurvePrivateKey, agent: str) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, agent)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    signed = request.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def _check_issued(
    pem: bytes, ca: bytes, agent: str, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))
    except (ValueError, TypeError, InvalidSignature) as error:
        raise Rejected("The control plane returned no valid certificate.") from error
    ours = certificate.public_key() == key.public_key()
    if not ours or _common_name(certificate) != agent:
        raise Rejected("The control plane certified another key or name.")
    return certificate
