"""What an operator's command asks about stages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from cloudforest.adapters.control.http import ControlPlaneHttp


def _path(stage: str, what: str) -> str:
    return f"/stages/{quote(stage, safe='')}/{what}"


class StagesClient(ControlPlaneHttp):
    async def stages(self, job: str | None) -> list[dict[str, Any]]:
        query = f"?{urlencode({'job': job})}" if job else ""
        body = await self.call("GET", f"/stages{query}")
        stages: list[dict[str, Any]] = msgspec.json.decode(body)
        return stages

    async def staged_objects(self, stage: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what a stage holds, object by object."""
        after = ""
        while True:
            query = urlencode({"after": after})
            body = await self.call("GET", f"{_path(stage, 'objects')}?{query}")
            some: list[dict[str, Any]] = msgspec.json.decode(body)
            if not some:
                return
            for each in some:
                yield each
            after = some[-1]["key"]

    async def allow(self, stage: str, until: datetime, by: str) -> dict[str, Any]:
        word = {"until": until, "by": by}
        allowed: dict[str, Any] = msgspec.json.decode(
            await self.call("POST", _path(stage, "allow"), word)
        )
        return allowed

    async def discard(self, stage: str) -> dict[str, Any]:
        discarded: dict[str, Any] = msgspec.json.decode(
            await self.call("POST", _path(stage, "discard"))
        )
        return discarded
