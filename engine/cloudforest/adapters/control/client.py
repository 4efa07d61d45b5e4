"""The calls that operators' commands make to the control plane."""

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

JsonObject = dict[str, Any]


class CurrentRegistration(Value, frozen=True):
    """The registered tree; revision 0 means that nothing is registered."""

    revision: int
    registration: Registration | None = None


def _job_path(job: str, action: str) -> str:
    return f"/jobs/{quote(job, safe='')}/{action}"


def _stage_path(stage: str, action: str) -> str:
    return f"/stages/{quote(stage, safe='')}/{action}"


class StagesClient(ControlPlaneHttp):
    async def stages(self, job: str | None) -> list[JsonObject]:
        query = f"?{urlencode({'job': job})}" if job else ""
        return await self.call_json("GET", f"/stages{query}", type=list[JsonObject])

    async def staged_objects(self, stage: str) -> AsyncIterator[JsonObject]:
        """Yield the objects of a stage."""
        after = ""
        while True:
            path = f"{_stage_path(stage, 'objects')}?{urlencode({'after': after})}"
            page = await self.call_json("GET", path, type=list[JsonObject])
            if not page:
                return
            for each in page:
                yield each
            after = page[-1]["key"]

    async def allow_stage(self, stage: str, until: datetime, by: str) -> JsonObject:
        return await self.call_json(
            "POST",
            _stage_path(stage, "allow"),
            {"until": until, "by": by},
            type=JsonObject,
        )

    async def discard_stage(self, stage: str) -> JsonObject:
        return await self.call_json(
            "POST", _stage_path(stage, "discard"), type=JsonObject
        )


class ControlPlaneClient(StagesClient):
    async def load_registration(self) -> CurrentRegistration:
        return await self.call_json("GET", "/registration", type=CurrentRegistration)

    async def load_revision(self, number: int) -> Revision | None:
        body = await self.call("GET", f"/registration?revision={number}")
        return msgspec.json.decode(body, type=Revision | None)

    async def register(
        self, registration: Registration, *, base: int, **audit_details: str | None
    ) -> int:
        """Replace the registration; raise Stale unless `base` is the latest revision.

        `audit_details`, `plan` and `commit`, are kept in the audit.
        """
        query = urlencode({key: text for key, text in audit_details.items() if text})
        body = await self.call(
            "PUT", f"/registration?{query}", registration, {"If-Match": f'"{base}"'}
        )
        return int(msgspec.json.decode(body)["revision"])

    async def impact(
        self, registration: Registration, *, with_names: bool = False
    ) -> AsyncIterator[JsonObject]:
        """Yield `{"job", "phase", "done", "total"}` as progress, and last the report.

        The report has the `impacts` of the next cycles and the `consequences`.
        `with_names` adds samples of the affected objects by name.
        """
        path = "/impact?samples=names" if with_names else "/impact"
        async for message in self._stream_messages(path, registration):
            yield message

    async def create_agent_token(self, name: str) -> str:
        body = await self.call("POST", f"/agents/{quote(name, safe='')}/token")
        return str(msgspec.json.decode(body)["token"])

    async def status(self) -> JsonObject:
        return await self.call_json("GET", "/status", type=JsonObject)

    async def audit(self) -> AsyncIterator[JsonObject]:
        """Yield the audit records, the oldest first."""
        last = 0
        while records := await self.call_json(
            "GET", f"/audit?after={last}", type=list[JsonObject]
        ):
            for each in records:
                yield each
            last = records[-1]["id"]

    async def jobs(self) -> list[JsonObject]:
        return await self.call_json("GET", "/jobs", type=list[JsonObject])

    async def run_job(self, name: str) -> AsyncIterator[JsonObject]:
        """Yield `{"phase", "done", "total"}` as progress, and last `{"cycle"}`."""
        async for message in self._stream_messages(_job_path(name, "run")):
            yield message

    async def drift(self, name: str, *, repair: bool) -> AsyncIterator[JsonObject]:
        """Yield `{"drifted"}` for each drift, and last `{"ended"}`."""
        path = _job_path(name, "drift")
        async for message in self._stream_messages(path, {"repair": repair}):
            yield message

    async def _stream_messages(
        self, path: str, body: Any = None
    ) -> AsyncIterator[JsonObject]:
        async for message in self._stream_json("POST", path, body):
            if "error" in message:
                raise error_from_message(message)
            yield message

    async def _stream_json(
        self, method: str, path: str, body: Any = None
    ) -> AsyncIterator[JsonObject]:
        async for line in self.stream_lines(method, path, body):
            yield msgspec.json.decode(line)

    async def explain(self, job: str, lookup: Lookup) -> JsonObject:
        return await self.call_json(
            "POST", _job_path(job, "explain"), lookup, type=JsonObject
        )

    async def explain_planned(
        self, job: str, lookup: Lookup, registration: Registration
    ) -> JsonObject:
        """Explain as if this registration had replaced the current one."""
        return await self.call_json(
            "POST",
            f"/impact/{quote(job, safe='')}/explain",
            {"registration": registration, "lookup": lookup},
            type=JsonObject,
        )

    async def provision(self, job: str, lookup: Lookup) -> JsonObject:
        """Write one object now; return the same steps, with the target's answer."""
        return await self.call_json(
            "POST", _job_path(job, "provision"), lookup, type=JsonObject
        )

    async def pause_job(self, name: str) -> None:
        await self.call("POST", _job_path(name, "pause"))

    async def start_job(self, name: str) -> None:
        await self.call("POST", _job_path(name, "start"))

    async def restart_job(self, name: str, scopes: Sequence[str]) -> list[str]:
        """Return what was reset; without scopes, Graph's default."""
        path = _job_path(name, "restart")
        body = await self.call("POST", path, {"resetScope": scopes})
        return list(msgspec.json.decode(body)["reset"])

    async def escrowed_objects(self, name: str) -> AsyncIterator[JsonObject]:
        async for escrowed in self._stream_json("GET", _job_path(name, "escrow")):
            yield escrowed

    async def retry_escrow(self, name: str, object_id: str | None) -> int:
        """Make the escrow of one object, or of all (None), due; return how many."""
        path = _job_path(name, "escrow/retry")
        body = await self.call("POST", path, {"object": object_id})
        return int(msgspec.json.decode(body)["retried"])

    async def logs(
        self, query: LogQuery, *, after: int = 0
    ) -> AsyncIterator[JsonObject]:
        """Yield the entries that were stored after the one with number `after`."""
        fields: JsonObject = msgspec.to_builtins(query)
        filters = {key: value for key, value in fields.items() if value is not None}
        path = f"/logs?{urlencode({**filters, 'after': after})}"
        async for entry in self._stream_json("GET", path):
            yield entry
