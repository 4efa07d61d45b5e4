"""The embedded tenant directory, loaded when it is first asked: most never ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from cloudforest.adapters.store.tenant import TenantDirectory


@dataclass
class Tenant:
    """An ASGI application; see `front.http.tenant.tenant_app`."""

    directory: TenantDirectory
    authorized: Callable[[str], bool]
    _app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> ASGIApp:
        from cloudforest.front.http.tenant import tenant_app  # noqa: PLC0415

        return tenant_app(self.directory, authorized=self.authorized)
