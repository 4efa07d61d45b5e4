"""Bearer tokens of an OAuth 2.0 server, kept while they last."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from cloudforest.adapters.target.pace import Monotonic
from cloudforest.adapters.target.proof.endpoint import (
    ClientCredentials,
    Issued,
    TokenEndpoint,
)
from cloudforest.base.secrets import Secret

MARGIN = 60.0
"""Seconds before its end in which a token is not used: a request takes a while."""
MARGIN_SHARE = 0.1
"""The most that the margin takes of a life that is short."""


class Tokens:
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
        self._asking = asyncio.Lock()
        self._token: Secret | None = None
        self._until = -math.inf

    async def current(self) -> Secret:
        """Return a token, asked for only if there is none that lasts.

        Raises Unanswered, as of the target; Misconfigured if we are refused.
        """
        async with self._asking:
            if self._token is None or self._monotonic() >= self._until:
                self._token = self._keep(await self._endpoint.issue())
            return self._token

    def forget(self, is_refused: Callable[[Secret], bool]) -> None:
        """Ask anew next time, unless somebody did so meanwhile."""
        if self._token is not None and is_refused(self._token):
            self._token = None

    def _keep(self, issued: Issued) -> Secret:
        life = math.inf if issued.expires_in is None else issued.expires_in
        self._until = self._monotonic() + life - min(MARGIN, life * MARGIN_SHARE)
        return Secret(issued.access_token)
