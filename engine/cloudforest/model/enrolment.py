"""How an agent proves itself: the one-time token, and the words of its assertions."""

from __future__ import annotations

import base64
import binascii

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.model.value import Value

ASSERTION_ALGORITHM = "ES256"
ASSERTION_AUDIENCE = "urn:cloudforest:2.0:bootstrap"
ASSERTION_SECONDS = 60

_PREFIX = "cfe1."


class EnrolmentToken(Value, frozen=True):
    """`fingerprint` is the SHA-256 of the CA's DER certificate, in hexadecimal."""

    agent: str
    secret: str
    fingerprint: str

    def encode(self) -> str:
        return _PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()

    def __repr__(self) -> str:
        return f"EnrolmentToken(agent={self.agent!r})"


def decode_token(text: str) -> EnrolmentToken:
    try:
        data = base64.urlsafe_b64decode(text.strip().removeprefix(_PREFIX))
        return msgspec.json.decode(data, type=EnrolmentToken)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Misconfigured(
            "That is not an enrolment token; get a new one with"
            " `cloudforest agent token NAME` and copy all of it."
        ) from None
