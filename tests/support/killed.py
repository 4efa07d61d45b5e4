"""A target and a database that die at a chosen moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from tests.support.memory_target import MemoryTarget

from cloudforest.adapters.store.database import Database
from cloudforest.model.source import FlatResource

T = TypeVar("T")


class Killed(BaseException):
    """The end of a process, simulated by an exception."""


class Mortal(Database):
    """A database whose process dies in its nth transaction."""

    left = 10**9

    async def run(self, work: Callable[[Connection], T]) -> T:
        self.left -= 1
        if self.left == 0:
            raise Killed
        return await super().run(work)


class Fragile(MemoryTarget):
    """A target that obeys a request, but whose answer never arrives."""

    left = 10**9
    cycle: asyncio.Task[Any] | None = None

    async def _live(self) -> None:
        self.left -= 1
        if self.left == 0 and self.cycle is not None:
            self.cycle.cancel()
            await asyncio.Event().wait()

    async def create(self, resource_type: str, values: FlatResource) -> str:
        id_ = await super().create(resource_type, values)
        await self._live()
        return id_

    async def modify(self, *arguments: Any) -> None:
        await super().modify(*arguments)
        await self._live()

    async def change_members(self, *arguments: Any, **named: Any) -> None:
        await super().change_members(*arguments, **named)
        await self._live()
