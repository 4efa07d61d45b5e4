"""Credentials for targets: bearer tokens, Basic, OAuth 2.0 and client certificates.

OAuth 2.0 tokens come from the client credentials grant (RFC 6749, 4.4), and are kept
while they are valid.
"""

from __future__ import annotations

import asyncio
import base64
import math
import os
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec

from cloudforest.adapters.target.answers import (
    Unanswered,
    translate_silence,
)
from cloudforest.base.clock import Monotonic
from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.files import MAX_BYTES
from cloudforest.base.inputs import InputRefused, decode_json, read_stream
from cloudforest.base.secrets import Secret

TOKEN_TIMEOUT = 30.0
_BUSY = frozenset({429, 500, 502, 503, 504})
_ERROR = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]+")

EXPIRY_MARGIN = 60.0
"""Seconds before its expiry in which a token is not used: a request takes a while."""
EXPIRY_MARGIN_SHARE = 0.1
"""The largest share of a short life that the margin may take."""


def _basic_header(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@dataclass(frozen=True)
class ClientCredentials:
    token_url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None

    def is_same_as(self, other: ClientCredentials) -> bool:
        same_secret = self.client_secret.reveal() == other.client_secret.reveal()
        return same_secret and replace(other, client_secret=self.client_secret) == self

    def authorization_header(self) -> str:
        """Return HTTP Basic of the form-encoded id and secret (RFC 6749, 2.3.1).

        A space becomes %20 instead of +, which not every server understands.
        """
        parts = (self.client_id, self.client_secret.reveal())
        return _basic_header(":".join(quote(each, safe="") for each in parts))


class IssuedToken(msgspec.Struct):
    """A token, and its life in seconds if the server states it (RFC 6749, 5.1)."""

    access_token: str
    token_type: str
    expires_in: float | None = None


def _make_no_token_error(url: str, reason: str) -> Unanswered:
    """Return the error for a missing token: the target counts as down."""
    return Unanswered(f"cannot be used without a token: {url} {reason}", reached=False)


@contextmanager
def _translate_token_errors(url: str) -> Iterator[None]:
    """Raise our errors for a failed request to the token endpoint."""
    try:
        with translate_silence(TOKEN_TIMEOUT):
            yield
    except Unanswered as error:
        raise _make_no_token_error(url, error.reason) from error
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise Misconfigured(
            f'The `tokenUrl` "{url}" is not valid. Write, for example,'
            " https://login.example.com/oauth2/token."
        ) from error
    except aiohttp.ClientConnectorCertificateError as error:
        reason = "has a certificate that is not trusted"
        raise _make_no_token_error(url, reason) from error


@dataclass(eq=False)
class TokenCache:
    """Keeps one token until shortly before it expires.

    `target` is the name of the document in messages.
    """

    target: str
    credentials: ClientCredentials
    monotonic: Monotonic = time.monotonic
    _request_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _token: Secret | None = None
    _valid_until: float = -math.inf

    async def get_token(self) -> Secret:
        """Return a valid token, requested only if needed.

        Raises the errors of `request_token`.
        """
        async with self._request_lock:
            if self._token is None or self.monotonic() >= self._valid_until:
                issued = await self.request_token()
                life = math.inf if issued.expires_in is None else issued.expires_in
                margin = min(EXPIRY_MARGIN, life * EXPIRY_MARGIN_SHARE)
                self._valid_until = self.monotonic() + life - margin
                self._token = Secret(issued.access_token)
            return self._token

    def forget(self, headers: Mapping[str, str]) -> None:
        """Drop the token in these headers, unless it was replaced already."""
        if self._token is not None and _bearer_header(self._token) == headers:
            self._token = None

    async def request_token(self) -> IssuedToken:
        """Request a token once.

        Raises Unanswered if the server does not answer, Misconfigured if it refuses,
        and Rejected if it is not a token endpoint.
        """
        url = self.credentials.token_url
        with _translate_token_errors(url):
            status, body = await self._post(url)
        if status in _BUSY:
            raise _make_no_token_error(url, f"answered {status}")
        if status != HTTPStatus.OK:
            raise self._make_refused_error(status, body)
        return self._read_token(body)

    async def _post(self, url: str) -> tuple[int, bytearray]:
        timeout = aiohttp.ClientTimeout(total=TOKEN_TIMEOUT)
        scope = {"scope": self.credentials.scope} if self.credentials.scope else {}
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                url,
                data={"grant_type": "client_credentials", **scope},
                headers={
                    "Accept": "application/json",
                    "Authorization": self.credentials.authorization_header(),
                },
                # Credentials are never sent to another address.
                allow_redirects=False,
            ) as response,
        ):
            try:
                return response.status, await read_stream(
                    response.content.iter_any(), MAX_BYTES
                )
            except InputRefused:
                return response.status, bytearray()

    def _read_token(self, body: bytearray) -> IssuedToken:
        try:
            issued = msgspec.json.decode(body, type=IssuedToken, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            issued = IssuedToken("", "")
        bearer = issued.token_type.lower() == "bearer"
        if bearer and _TOKEN.fullmatch(issued.access_token):
            return issued
        raise Rejected(
            f"{self.credentials.token_url} answered without a bearer token. Check"
            f' that `tokenUrl` in `auth.oauth2` of Target "{self.target}" is the token'
            " endpoint of an OAuth 2.0 server."
        )

    def _make_refused_error(self, status: int, body: bytearray) -> Misconfigured:
        # The error's description may quote anything; the error itself is a keyword.
        try:
            error = decode_json(body, dict[str, object]).get("error")
        except InputRefused:
            error = None
        is_keyword = isinstance(error, str) and _ERROR.fullmatch(error)
        reason = f"{status} {error}" if is_keyword else str(status)
        return Misconfigured(
            f"{self.credentials.token_url} refused a token to the client"
            f' "{self.credentials.client_id}" ({reason}). Check `auth.oauth2` of Target'
            f' "{self.target}".'
        )


@dataclass(frozen=True)
class ClientCertificate:
    """`certificate` is a PEM file with its chain; `key` is PEM text."""

    certificate: Path
    key: Secret


@contextmanager
def _key_file(secret: Secret) -> Iterator[str]:
    """Yield the path of a file in memory, because OpenSSL reads only files."""
    with os.fdopen(os.memfd_create("key"), "wb") as file:
        file.write(secret.reveal().encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def client_tls_context(credential: ClientCertificate) -> ssl.SSLContext:
    """Return a context with the client certificate, read from its file now."""
    context = ssl.create_default_context()
    path = credential.certificate
    try:
        with _key_file(credential.key) as key:
            # Without a given passphrase, OpenSSL asks for one on the terminal.
            context.load_cert_chain(path, key, password="")
    except ssl.SSLError as error:
        raise Misconfigured(
            f"The client certificate {path} cannot be used with its key"
            f" ({error.reason or 'not PEM'}). In `auth.mtls`, name PEM files that"
            " belong together, with a key without a passphrase."
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"The client certificate {path} cannot be read ({error.strerror}). Name a"
            " PEM file in `auth.mtls.certificate`."
        ) from error
    return context


@dataclass(frozen=True)
class BasicCredential:
    username: str
    password: Secret


Credential = Secret | BasicCredential | TokenCache | ClientCertificate | None
"""A bearer token, a user name with its password, OAuth 2.0 tokens, a client
certificate, or nothing."""


def _bearer_header(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}


async def authorization_headers(credential: Credential) -> dict[str, str]:
    """Return the headers with the credential; raise as `TokenCache.get_token`."""
    match credential:
        case Secret():
            return _bearer_header(credential)
        case BasicCredential(username, password):
            pair = f"{username}:{password.reveal()}"
            return {"Authorization": _basic_header(pair)}
        case TokenCache():
            return _bearer_header(await credential.get_token())
        case ClientCertificate() | None:
            return {}


def forget_refused_token(
    credential: Credential, refused_headers: Mapping[str, str]
) -> bool:
    """Forget the token in these headers; return whether a new one can be requested."""
    if not isinstance(credential, TokenCache):
        return False
    credential.forget(refused_headers)
    return True


def target_tls(credential: Credential) -> ssl.SSLContext | bool:
    """Return the `ssl` argument for aiohttp, with our client certificate if any."""
    if isinstance(credential, ClientCertificate):
        return client_tls_context(credential)
    return True
