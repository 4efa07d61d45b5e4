"""The token endpoint of an OAuth 2.0 server: client credentials (RFC 6749, 4.4).

Bearer tokens of an OAuth 2.0 server, kept while they last.

A client certificate, shown to a target over TLS.

What a request carries to prove who sends it, and which connection carries it.
"""

from __future__ import annotations

import asyncio
import base64
import math
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec

from cloudforest.adapters.target.answers import Unanswered, read_document
from cloudforest.base.clock import Monotonic
from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.secrets import Secret

TOKEN_TIMEOUT = 30.0
_BUSY = frozenset({429, 500, 502, 503, 504})
_ERROR = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class ClientCredentials:
    token_url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None

    def is_same_as(self, other: ClientCredentials) -> bool:
        return self._reveal_all() == other._reveal_all()

    def _reveal_all(self) -> tuple[str | None, ...]:
        secret = self.client_secret.reveal()
        return self.token_url, self.client_id, secret, self.scope

    def request_form(self) -> dict[str, str]:
        scope = {"scope": self.scope} if self.scope else {}
        return {"grant_type": "client_credentials", **scope}

    def authorization_header(self) -> str:
        """Encode both as forms are, before HTTP Basic: RFC 6749, 2.3.1.

        A space becomes %20, not +: not every server knows that one.
        """
        both = (self.client_id, self.client_secret.reveal())
        pair = ":".join(quote(each, safe="") for each in both)
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


class IssuedToken(msgspec.Struct):
    """A token, and for how many seconds if that is said (RFC 6749, 5.1)."""

    access_token: str
    token_type: str
    expires_in: float | None = None


@contextmanager
def _translate_token_errors(url: str) -> Iterator[None]:
    """Say in our words why there is no answer."""
    try:
        yield
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise Misconfigured(
            f"{url} can't be used as tokenUrl; write for example"
            " https://login.example.com/oauth2/token."
        ) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise _make_no_token_error(
            url, "shows a certificate that is not trusted"
        ) from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise _make_no_token_error(url, "can't be reached") from error
    except TimeoutError as error:
        raise _make_no_token_error(
            url, f"did not answer within {TOKEN_TIMEOUT:g} s"
        ) from error
    except aiohttp.ClientError as error:
        raise _make_no_token_error(
            url, "closed the connection without an answer"
        ) from error


def _make_no_token_error(url: str, reason: str) -> Unanswered:
    """Without a token the target is asked nothing, and is down for us."""
    return Unanswered(f"gets no token: {url} {reason}", reached=False)


class TokenEndpoint:
    """`target` names the document in sentences."""

    def __init__(self, target: str, credentials: ClientCredentials) -> None:
        self._credentials = credentials
        self._setting = f"`auth.oauth2` of Target {target}"

    async def request_token(self) -> IssuedToken:
        """Ask once. Raises Unanswered, or Misconfigured or Rejected: none for us."""
        url = self._credentials.token_url
        with _translate_token_errors(url):
            status, body = await self._post(url)
        if status in _BUSY:
            raise _make_no_token_error(url, f"answered {status}")
        if status != HTTPStatus.OK:
            raise self._make_refused_error(status, body)
        return self._read_token(body)

    async def _post(self, url: str) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=TOKEN_TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                url,
                data=self._credentials.request_form(),
                headers={
                    "Accept": "application/json",
                    "Authorization": self._credentials.authorization_header(),
                },
                # A credential is not carried elsewhere.
                allow_redirects=False,
            ) as response,
        ):
            return response.status, await response.read()

    def _read_token(self, body: bytes) -> IssuedToken:
        try:
            issued = msgspec.json.decode(body, type=IssuedToken, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            issued = IssuedToken("", "")
        bearer = issued.token_type.lower() == "bearer"
        if bearer and _TOKEN.fullmatch(issued.access_token):
            return issued
        raise Rejected(
            f"{self._credentials.token_url} answered with what is no bearer token;"
            f" check that tokenUrl in {self._setting} is the token endpoint of an"
            " OAuth 2.0 server."
        )

    def _make_refused_error(self, status: int, body: bytes) -> Misconfigured:
        # What the error is described by may quote anything; itself is a keyword.
        found = (read_document(body) or {}).get("error")
        known = isinstance(found, str) and _ERROR.fullmatch(found)
        said = f"{status} {found}" if known else str(status)
        return Misconfigured(
            f"{self._credentials.token_url} gives the client"
            f" {self._credentials.client_id} no token (it answered {said}); check"
            f" {self._setting}."
        )


EXPIRY_MARGIN = 60.0
"""Seconds before its end in which a token is not used: a request takes a while."""
EXPIRY_MARGIN_SHARE = 0.1
"""The most that the margin takes of a life that is short."""


class TokenCache:
    """One token at a time, until shortly before it ends. `target` is for sentences."""

    def __init__(
        self,
        target: str,
        credentials: ClientCredentials,
        *,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self.credentials = credentials
        self._endpoint = TokenEndpoint(target, credentials)
        self._monotonic = monotonic
        self._request_lock = asyncio.Lock()
        self._token: Secret | None = None
        self._valid_until = -math.inf

    async def get_token(self) -> Secret:
        """Return a token, asked for only if there is none that lasts.

        Raises Unanswered, as of the target; Misconfigured if we are refused.
        """
        async with self._request_lock:
            if self._token is None or self._monotonic() >= self._valid_until:
                self._token = self._store(await self._endpoint.request_token())
            return self._token

    def forget(self, is_refused: Callable[[Secret], bool]) -> None:
        """Ask anew next time, unless somebody did so meanwhile."""
        if self._token is not None and is_refused(self._token):
            self._token = None

    def _store(self, issued: IssuedToken) -> Secret:
        life = math.inf if issued.expires_in is None else issued.expires_in
        self._valid_until = (
            self._monotonic() + life - min(EXPIRY_MARGIN, life * EXPIRY_MARGIN_SHARE)
        )
        return Secret(issued.access_token)


@dataclass(frozen=True)
class ClientCertificate:
    """`certificate` is a PEM file with its chain; `key` is the text of one."""

    certificate: Path
    key: Secret


def client_tls_context(credential: ClientCertificate) -> ssl.SSLContext:
    """Return a context that shows the certificate, as its file is now."""
    context = ssl.create_default_context()
    path = credential.certificate
    try:
        with _key_file(credential.key) as key:
            # Without a passphrase of ours, OpenSSL asks for one at the terminal.
            context.load_cert_chain(path, key, password="")
    except ssl.SSLError as error:
        raise Misconfigured(
            f"The client certificate {path} can't be used with its key"
            f" ({error.reason or 'not PEM'}); name PEM files that belong together in"
            " `auth.mtls`, the key without a passphrase."
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"The client certificate {path} can't be read ({error.strerror}); name a"
            " PEM file in `auth.mtls.certificate`."
        ) from error
    return context


@contextmanager
def _key_file(secret: Secret) -> Iterator[str]:
    """Give OpenSSL, which reads files only, one that lies in memory."""
    with os.fdopen(os.memfd_create("key"), "wb") as file:
        file.write(secret.reveal().encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


@dataclass(frozen=True)
class BasicCredential:
    username: str
    password: Secret


Credential = Secret | BasicCredential | TokenCache | ClientCertificate | None
"""A bearer token, a username with its password, tokens that are asked for, a
certificate, or nothing."""


async def authorization_headers(credential: Credential) -> dict[str, str]:
    """Return the headers that carry the credential; see `Tokens.current`."""
    match credential:
        case Secret():
            return _bearer_header(credential)
        case BasicCredential(username, password):
            pair = f"{username}:{password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case TokenCache():
            return _bearer_header(await credential.get_token())
        case ClientCertificate() | None:
            return {}


def forget_refused_token(
    credential: Credential, refused_headers: Mapping[str, str]
) -> bool:
    """Tell whether others can be had in place of these headers, which are forgotten."""
    if not isinstance(credential, TokenCache):
        return False
    credential.forget(lambda token: _bearer_header(token) == refused_headers)
    return True


def target_tls(credential: Credential) -> ssl.SSLContext | bool:
    """Return what aiohttp takes: our certificate to show, or nothing of our own."""
    if isinstance(credential, ClientCertificate):
        return client_tls_context(credential)
    return True


def _bearer_header(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}
