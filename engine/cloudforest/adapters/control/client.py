"""What an operator's command asks of the control plane.

What an operator's command asks about stages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from cloudforest.adapters.control.http import ControlPlaneHttp, error_from_message
from cloudforest.base.values import Value
from cloudforest.model.cycles import LogQuery
from cloudforest.model.messages import Lookup
from cloudforest.model.registration import Registration, Revision


def _stage_path(stage: str, what: str) -> str:
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
            body = await self.call("GET", f"{_stage_path(stage, 'objects')}?{query}")
            some: list[dict[str, Any]] = msgspec.json.decode(body)
            if not some:
                return
            for each in some:
                yield each
            after = some[-1]["key"]

    async def allow_stage(self, stage: str, until: datetime, by: str) -> dict[str, Any]:
        word = {"until": until, "by": by}
        allowed: dict[str, Any] = msgspec.json.decode(
            await self.call("POST", _stage_path(stage, "allow"), word)
        )
        return allowed

    async def discard_stage(self, stage: str) -> dict[str, Any]:
        discarded: dict[str, Any] = msgspec.json.decode(
            await self.call("POST", _stage_path(stage, "discard"))
        )
        return discarded


class CurrentRegistration(Value, frozen=True):
    """Revision 0 means that nothing is registered."""

    revision: int
    registration: Registration | None = None


class ControlPlaneClient(StagesClient):
    async def load_registration(self) -> CurrentRegistration:
        return msgspec.json.decode(
            await self.call("GET", "/registration"), type=CurrentRegistration
        )

    async def load_revision(self, number: int) -> Revision | None:
        body = await self.call("GET", f"/registration?revision={number}")
        return msgspec.json.decode(body, type=Revision | None)

    async def register(
        self, registration: Registration, *, base: int, **audit_details: str | None
    ) -> int:
        """Replace what is registered; raises Stale unless `base` is the latest.

        `plan` and `commit` are kept in the audit.
        """
        named = urlencode({key: text for key, text in audit_details.items() if text})
        body = await self.call(
            "PUT", f"/registration?{named}", registration, {"If-Match": f'"{base}"'}
        )
        return int(msgspec.json.decode(body)["revision"])

    async def impact(
        self, registration: Registration, *, with_names: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield `{"job", "phase", "done", "total"}` as it goes on, last `{"foreseen"}`.

        That is what the next cycles would do (`impacts`), and the `consequences`.
        `named` has some of those whom they touch named.
        """
        path = "/impact?samples=names" if with_names else "/impact"
        async for message in self._stream_messages(path, registration):
            yield message

    async def create_agent_token(self, name: str) -> str:
        body = await self.call("POST", f"/agents/{quote(name, safe='')}/token")
        return str(msgspec.json.decode(body)["token"])

    async def status(self) -> dict[str, Any]:
        status: dict[str, Any] = msgspec.json.decode(await self.call("GET", "/status"))
        return status

    async def audit(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what operators had done, the oldest first."""
        last = 0
        while records := msgspec.json.decode(
            await self.call("GET", f"/audit?after={last}")
        ):
            for each in records:
                yield each
            last = records[-1]["id"]

    async def jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = msgspec.json.decode(
            await self.call("GET", "/jobs")
        )
        return jobs

    async def run_job(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Yield `{"phase", "done", "total"}` as it goes on, and last `{"cycle"}`."""
        async for message in self._stream_messages(f"/jobs/{quote(name, safe='')}/run"):
            yield message

    async def drift(self, name: str, *, repair: bool) -> AsyncIterator[dict[str, Any]]:
        """Yield `{"drifted"}` for each drift, and last `{"ended"}`."""
        path = f"/jobs/{quote(name, safe='')}/drift"
        async for message in self._stream_messages(path, {"repair": repair}):
            yield message

    async def _stream_messages(
        self, path: str, body: Any = None
    ) -> AsyncIterator[dict[str, Any]]:
        async for line in self.stream_lines("POST", path, body):
            message = msgspec.json.decode(line)
            if "error" in message:
                raise error_from_message(message)
            yield message

    async def explain(self, job: str, lookup: Lookup) -> dict[str, Any]:
        body = await self.call("POST", f"/jobs/{quote(job, safe='')}/explain", lookup)
        explanation: dict[str, Any] = msgspec.json.decode(body)
        return explanation

    async def explain_planned(
        self, job: str, lookup: Lookup, registration: Registration
    ) -> dict[str, Any]:
        """Explain by a registration that would replace what is registered."""
        asked = {"registration": registration, "lookup": lookup}
        path = f"/impact/{quote(job, safe='')}/explain"
        explanation: dict[str, Any] = msgspec.json.decode(
            await self.call("POST", path, asked)
        )
        return explanation

    async def provision(self, job: str, lookup: Lookup) -> dict[str, Any]:
        """Write one object now; return the same steps, with the target's answer."""
        body = await self.call("POST", f"/jobs/{quote(job, safe='')}/provision", lookup)
        provisioned: dict[str, Any] = msgspec.json.decode(body)
        return provisioned

    async def pause_job(self, name: str) -> None:
        await self.call("POST", f"/jobs/{quote(name, safe='')}/pause")

    async def start_job(self, name: str) -> None:
        await self.call("POST", f"/jobs/{quote(name, safe='')}/start")

    async def restart_job(self, name: str, scopes: Sequence[str]) -> list[str]:
        """Return what was reset; without scopes, what Graph resets by default."""
        body = await self.call(
            "POST", f"/jobs/{quote(name, safe='')}/restart", {"resetScope": scopes}
        )
        return list(msgspec.json.decode(body)["reset"])

    async def escrowed_objects(self, name: str) -> AsyncIterator[dict[str, Any]]:
        async for line in self.stream_lines(
            "GET", f"/jobs/{quote(name, safe='')}/escrow"
        ):
            yield msgspec.json.decode(line)

    async def retry_escrow(self, name: str, object_id: str | None) -> int:
        """Make one object of the job due, or all (None); return how many changes."""
        path = f"/jobs/{quote(name, safe='')}/escrow/retry"
        body = await self.call("POST", path, {"object": object_id})
        return int(msgspec.json.decode(body)["retried"])

    async def logs(
        self, query: LogQuery, *, after: int = 0
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the entries that were stored after the one with this number."""
        fields: dict[str, Any] = msgspec.to_builtins(query)
        filters = {key: value for key, value in fields.items() if value is not None}
        path = f"/logs?{urlencode({**filters, 'after': after})}"
        async for line in self.stream_lines("GET", path):
            yield msgspec.json.decode(line)
