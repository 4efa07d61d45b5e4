"""Requests to a target, told apart by whom a failure concerns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from cloudforest.adapters.target.answers import (
    Answer,
    Request,
    Unanswered,
    judge,
    judge_service,
)
from cloudforest.adapters.target.connection import Connection
from cloudforest.adapters.target.lists import every_resource
from cloudforest.base.errors import Rejected, Unavailable
from cloudforest.model.outcomes import Refusal


class Service:
    """The target's endpoints; `place` names it in sentences."""

    def __init__(self, connection: Connection, *, page_size: int) -> None:
        self.place = connection.place
        self.connection = connection
        self._page_size = page_size
        self._endpoints = {"User": "/Users", "Group": "/Groups"}

    async def one(self, request: Request) -> Answer:
        """Send a request about one object: no answer is an outcome of that object."""
        try:
            answer = await self.connection.send(request)
        except Unanswered as error:
            if not error.reached:
                raise self.down(error) from error
            raise Refusal(
                error.status, f"{self.place} {error.reason} to a {request.method}."
            ) from error
        return judge(answer, self.place, request.method)

    async def ask(self, request: Request, *, through: bool = False) -> Answer:
        """Send a request about the service: no answer means that it is down."""
        try:
            return await self.connection.send(request, through=through)
        except Unanswered as error:
            raise self.down(error) from error

    def down(self, error: Unanswered) -> Unavailable:
        return Unavailable(
            f"{self.place} {error.reason}; see that it runs and try again."
        )

    async def every(
        self, resource_type: str, query: Mapping[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the resources of a list, page by page."""
        path = await self.path(resource_type)
        verdict = judge if "filter" in query else judge_service

        async def fetch(start: int) -> dict[str, Any]:
            window = {"startIndex": str(start), "count": str(self._page_size)}
            answer = await self.ask(Request("GET", path, {**query, **window}))
            return verdict(answer, self.place, f"GET {path}").document

        async for each in every_resource(fetch, self.place):
            yield each

    async def path(self, resource_type: str, resource: str | None = None) -> str:
        if resource_type not in self._endpoints:
            await self._discover(resource_type)
        endpoint = self._endpoints[resource_type]
        return (
            endpoint if resource is None else f"{endpoint}/{quote(resource, safe='')}"
        )

    async def _discover(self, resource_type: str) -> None:
        """Learn the endpoints of the types that RFC 7643 does not name."""
        answer = await self.ask(Request("GET", "/ResourceTypes"))
        judge_service(answer, self.place, "GET /ResourceTypes")
        for each in answer.document.get("Resources") or []:
            name, endpoint = str(each.get("name")), str(each.get("endpoint"))
            self._endpoints.setdefault(name, "/" + endpoint.strip("/"))
        if resource_type not in self._endpoints:
            raise Rejected(
                f"{self.place} declares no resource type {resource_type}; leave the"
                " mapping to it out of the job."
            )
