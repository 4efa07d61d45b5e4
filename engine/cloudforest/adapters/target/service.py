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
    let_in,
    not_scim,
)
from cloudforest.adapters.target.connection import Connection
from cloudforest.adapters.target.lists import as_list, every_resource
from cloudforest.base.errors import Rejected, TargetUnavailable
from cloudforest.model.outcomes import Refusal

_NOT_LET_IN = frozenset({401, 403})
_NO_LIST = frozenset({404, 405})
"""There is no such endpoint, whatever the filter."""


class Service:
    """The target's endpoints; `place` names it in sentences."""

    def __init__(self, connection: Connection, *, page_size: int) -> None:
        self.place = connection.place
        self.connection = connection
        self._page_size = page_size
        self._endpoints = {"User": "/Users", "Group": "/Groups"}

    async def one(self, request: Request) -> dict[str, Any]:
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

    async def _ask(self, request: Request) -> Answer:
        """Send a request about the service: no answer means that it is down."""
        try:
            answer = await self.connection.send(request)
        except Unanswered as error:
            raise self.down(error) from error
        let_in(answer, self.place, self.connection.name, over=_NOT_LET_IN)
        return answer

    async def page(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Read a ListResponse; what is wrong with a filter is told of its object."""
        answer = await self._ask(Request("GET", path, query))
        filtered = "filter" in query and answer.status not in _NO_LIST
        verdict = judge if filtered else judge_service
        return as_list(verdict(answer, self.place, f"GET {path}"), self.place)

    def down(self, error: Unanswered) -> TargetUnavailable:
        return TargetUnavailable(
            f"{self.place} {error.reason}; see that it runs and try again."
        )

    async def every(
        self, resource_type: str, query: Mapping[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the resources of a list, page by page."""
        path = await self.path(resource_type)

        async def fetch(start: int) -> dict[str, Any]:
            window = {"startIndex": str(start), "count": str(self._page_size)}
            return await self.page(path, {**query, **window})

        async for each in every_resource(fetch, self.place, size=self._page_size):
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
        page = await self.page("/ResourceTypes", {})
        for each in page.get("Resources") or []:
            if not isinstance(each, dict):
                raise not_scim(self.place, "GET /ResourceTypes with what is no type")
            name, endpoint = str(each.get("name")), str(each.get("endpoint"))
            self._endpoints.setdefault(name, "/" + endpoint.strip("/"))
        if resource_type not in self._endpoints:
            raise Rejected(
                f"{self.place} declares no resource type {resource_type}; leave the"
                " mapping to it out of the job."
            )
