"""The token endpoint of an OAuth 2.0 server: client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

import aiohttp
import msgspec

from cloudforest.adapters.target.answers import Unanswered, read_document
from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.secrets import Secret

TIMEOUT = 30.0
_BUSY = frozenset({429, 500, 502, 503, 504})
_ERROR = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class ClientCredentials:
    token_url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None

    def same_as(self, other: ClientCredentials) -> bool:
        return self._revealed() == other._revealed()

    def _revealed(self) -> tuple[str | None, ...]:
        secret = self.client_secret.reveal()
        return self.token_url, self.client_id, secret, self.scope

    def form(self) -> dict[str, str]:
        scope = {"scope": self.scope} if self.scope else {}
        return {"grant_type": "client_credentials", **scope}

    def authorization(self) -> str:
        """Encode both as forms are, before HTTP Basic: RFC 6749, 2.3.1.

        A space becomes %20, not +: not every server knows that one.
        """
        both = (self.client_id, self.client_secret.reveal())
        pair = ":".join(quote(each, safe="") for each in both)
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


class Issued(msgspec.Struct):
    """A token, and for how many seconds if that is said (RFC 6749, 5.1)."""

    access_token: str
    token_type: str
    expires_in: float | None = None


@contextmanager
def _spoken(url: str) -> Iterator[None]:
    """Say in our words why there is no answer."""
    try:
        yield
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise Misconfigured(
            f"{url} can't be used as tokenUrl; write for example"
            " https://login.example.com/oauth2/token."
        ) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise _silent(url, "shows a certificate that is not trusted") from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise _silent(url, "can't be reached") from error
    except TimeoutError as error:
        raise _silent(url, f"did not answer within {TIMEOUT:g} s") from error
    except aiohttp.ClientError as error:
        raise _silent(url, "closed the connection without an answer") from error


def _silent(url: str, reason: str) -> Unanswered:
    """Without a token the target is asked nothing, and is down for us."""
    return Unanswered(f"gets no token: {url} {reason}", reached=False)


class TokenEndpoint:
    """`target` names the document in sentences."""

    def __init__(self, target: str, credentials: ClientCredentials) -> None:
        self._credentials = credentials
        self._next_step = f"`auth.oauth2` of Target {target}"

    async def issue(self) -> Issued:
        """Ask once. Raises Unanswered, or Misconfigured or Rejected: none for us."""
        url = self._credentials.token_url
        with _spoken(url):
            status, body = await self._post(url)
        if status in _BUSY:
            raise _silent(url, f"answered {status}")
        if status != HTTPStatus.OK:
            raise self._refused(status, body)
        return self._read(body)

    async def _post(self, url: str) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                url,
                data=self._credentials.form(),
                headers={
                    "Accept": "application/json",
                    "Authorization": self._credentials.authorization(),
                },
                # A credential is not carried elsewhere.
                allow_redirects=False,
            ) as response,
        ):
            return response.status, await response.read()

    def _read(self, body: bytes) -> Issued:
        try:
            issued = msgspec.json.decode(body, type=Issued, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            issued = Issued("", "")
        bearer = issued.token_type.lower() == "bearer"
        if bearer and _TOKEN.fullmatch(issued.access_token):
            return issued
        raise Rejected(
            f"{self._credentials.token_url} answered with what is no bearer token;"
            f" check that tokenUrl in {self._next_step} is the token endpoint of an"
            " OAuth 2.0 server."
        )

    def _refused(self, status: int, body: bytes) -> Misconfigured:
        # What the error is described by may quote anything; itself is a keyword.
        found = (read_document(body) or {}).get("error")
        known = isinstance(found, str) and _ERROR.fullmatch(found)
        said = f"{status} {found}" if known else str(status)
        return Misconfigured(
            f"{self._credentials.token_url} gives the client"
            f" {self._credentials.client_id} no token (it answered {said}); check"
            f" {self._next_step}."
        )
