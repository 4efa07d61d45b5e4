"""Send requests to one target over HTTP, with pace, retries and circuit breaker."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
import msgspec

from cloudforest.adapters.target.answers import (
    Answer,
    Request,
    Unanswered,
    read_answer,
    refuse_redirect,
    require_accepted_credential,
    translate_network_errors,
)
from cloudforest.adapters.target.credentials import (
    ClientCertificate,
    Credential,
    authorization_headers,
    forget_refused_token,
    target_tls,
)
from cloudforest.base.clock import Backoff, Sleep
from cloudforest.base.errors import TargetUnavailable
from cloudforest.model.registration import Target

MAX_ATTEMPTS = 3
"""How often a request is sent before it counts as failed."""
RETRY_BACKOFF = Backoff(first=timedelta(seconds=0.25), longest=timedelta(seconds=0.5))
MAX_WAIT = 120.0
"""Seconds that one request may wait in total because the service asks for it."""
DEFAULT_WAIT = 1.0
"""Seconds to wait after a 429 without a usable Retry-After."""
MIN_WAIT = 0.5
FAILURE_THRESHOLD = 10
"""Failures in a row, of any request, after which the service counts as down."""

USER_AGENT = "cloudforest"
MEDIA_TYPE = "application/scim+json"
_SERVICE_FAILURES = frozenset({500, 502, 503, 504})
"""Failures of the service itself; other statuses, such as 501, are answers."""
_UNAUTHORIZED = frozenset({401})
"""Without 403, which may concern one object: a service may protect some users."""
_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": f"{MEDIA_TYPE}, application/json",
    "Content-Type": MEDIA_TYPE,
}


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date; None if unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


@dataclass
class Pace:
    """Limits the requests to a target; a requested wait delays all of them."""

    per_second: float | None
    sleep: Sleep
    _next: float = 0.0

    def delay(self, seconds: float) -> None:
        """Delay all requests by at least this."""
        self._next = max(self._next, time.monotonic() + seconds)

    async def wait_turn(self) -> None:
        now = time.monotonic()
        slot = max(now, self._next)
        if self.per_second:
            self._next = slot + 1 / self.per_second
        if slot > now:
            await self.sleep(slot - now)


@dataclass
class CircuitBreaker:
    """Ends a cycle whose target is down; the next cycle has its own breaker."""

    label: str
    _failures: int = 0
    _last_reason: str = ""

    def check(self) -> None:
        """Raise TargetUnavailable if the service counts as down."""
        if self._failures >= FAILURE_THRESHOLD:
            raise TargetUnavailable(
                f"{self.label} is down: {FAILURE_THRESHOLD} requests in a row failed"
                f" (the last one: {self._last_reason}). Check that it is running, and"
                " try again."
            )

    def record_success(self) -> None:
        self._failures = 0

    def record_failure(self, reason: str) -> None:
        self._failures += 1
        self._last_reason = reason


def _requested_wait(status: int, header: str | None) -> float | None:
    if header is None and status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    wait = parse_retry_after(header, datetime.now(UTC))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return max(DEFAULT_WAIT if wait is None else wait, MIN_WAIT)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None:
        return max(wait, MIN_WAIT)
    return None


class TargetConnection:
    """Sends requests to a target, and counts them."""

    def __init__(
        self, target: Target, base_url: str, credential: Credential, sleep: Sleep
    ) -> None:
        profile = target.profile
        self.label = f"The target {target.name} ({base_url})"
        self.name = target.name
        self._base = base_url.rstrip("/")
        self._credential = credential
        self._tls = target_tls(credential)
        self.requests = 0
        self._pace = Pace(profile.requests_per_second, sleep)
        self._breaker = CircuitBreaker(self.label)
        self._concurrency = profile.concurrency
        self._slots = asyncio.Semaphore(profile.concurrency)
        self._timeout = profile.timeout
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Answer:
        """Return the answer, also a refusal; wait and retry as needed.

        A POST that the service may have received is never sent again. Raises
        Unanswered, or an Unavailable if the whole service fails.
        """
        waited, attempt = 0.0, 0
        while True:
            try:
                answer, wait = await self._send_once(request)
            except Unanswered as error:
                self._breaker.record_failure(error.reason)
                attempt += 1
                is_unsafe = request.method == "POST" and error.reached
                if attempt >= MAX_ATTEMPTS or is_unsafe:
                    raise
                await self._pace.sleep(RETRY_BACKOFF.delay(attempt).total_seconds())
                continue
            if wait is None:
                self._breaker.record_success()
                return answer
            waited += wait
            if waited > MAX_WAIT:
                raise TargetUnavailable(
                    f"{self.label} answered {answer.status} and asks to wait for"
                    f" {wait:.0f} s. The limit is {MAX_WAIT:.0f} s in total. Lower"
                    " `requestsPerSecond` in its profile, or try again later."
                )
            self._pace.delay(wait)

    async def _send_once(self, request: Request) -> tuple[Answer, float | None]:
        """Send once; return the answer, and the seconds to wait before a retry."""
        async with self._slots:
            await self._pace.wait_turn()
            self._breaker.check()
            with translate_network_errors(
                self.label,
                self._timeout,
                target=self.name,
                has_client_certificate=isinstance(self._credential, ClientCertificate),
            ):
                return await self._authorize_and_send(request)

    async def _authorize_and_send(
        self, request: Request
    ) -> tuple[Answer, float | None]:
        headers = await authorization_headers(self._credential)
        answer, retry_after = await self._send_http(request, headers)
        is_refused = answer.status in _UNAUTHORIZED
        if is_refused and forget_refused_token(self._credential, headers):
            headers = await authorization_headers(self._credential)
            answer, retry_after = await self._send_http(request, headers)
        status = answer.status
        require_accepted_credential(
            answer, self.label, self.name, refused_statuses=_UNAUTHORIZED
        )
        refuse_redirect(status, self.label)
        wait = _requested_wait(status, retry_after)
        if wait is None and status in _SERVICE_FAILURES:
            raise Unanswered(f"answered {status}", reached=True, status=status)
        return answer, wait

    async def _send_http(
        self, request: Request, headers: dict[str, str]
    ) -> tuple[Answer, str | None]:
        """Return the answer and its header Retry-After."""
        self.requests += 1
        data = None if request.body is None else msgspec.json.encode(request.body)
        async with self._get_session().request(
            request.method,
            self._base + request.path_and_query,
            data=data,
            headers=headers,
            allow_redirects=False,
        ) as response:
            return await read_answer(response), response.headers.get("Retry-After")

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._concurrency, ssl=self._tls),
                headers=_HEADERS,
                timeout=aiohttp.ClientTimeout(
                    total=self._timeout, sock_connect=self._timeout
                ),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
