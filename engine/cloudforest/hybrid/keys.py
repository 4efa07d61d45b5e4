"""The private keys of the control plane: files of mode 0600, never in the store."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import create_once


def kept_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the P-256 key in this file, or make it."""
    data = create_once(path, _new_key)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except ValueError as error:
        raise Misconfigured(f"{path} holds no private key ({error}).") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Misconfigured(f"{path} holds a key of another kind; P-256 is needed.")
    return key


def _new_key() -> bytes:
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
