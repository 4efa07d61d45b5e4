"""The Directory port over an LDIF export: passes over a file, and an index."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import Found, entry, gone, in_thread
from cloudforest.adapters.ldif import search
from cloudforest.adapters.ldif.index import Index, build
from cloudforest.adapters.ldif.reader import stamp_if_there, stamp_of
from cloudforest.base.errors import Rejected, Unavailable
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Cookie, Entry, GroupMembers, Kind
from cloudforest.model.program import Filter, ObjectType
from cloudforest.program.scoping.dn import domain_of, is_below, parse_dn

LOOK_SECONDS = 3.0
"""How often a watched file is looked at."""

_log = structlog.get_logger()


def _guids(lookups: Sequence[Lookup]) -> Iterator[str]:
    """Yield the objectGUIDs asked for, as the port writes them."""
    for lookup in lookups:
        if lookup.by == "guid":
            with suppress(ValueError):
                yield str(uuid.UUID(lookup.value))


class LdifDirectory:
    """One exported domain, in a file that may hold others of its forest as well.

    The cookie is the digest of the file: the same file has nothing new, another one is
    read in full. A read is complete only if `# numEntries: N` in the file or a
    FILE.sha256 beside it agrees; what a complete export does not hold is gone.
    """

    def __init__(self, domain: str, path: Path) -> None:
        self.domain = domain
        self._path = path
        self._base = ",".join(f"DC={label}" for label in domain.split("."))
        self._index: Index | None = None
        self._indexing: asyncio.Task[Index] | None = None

    async def identify(self) -> str:
        index = await self._indexed()
        guid = index.guid(self._base)
        if guid is None:
            raise Rejected(
                f"{self._path} has no entry {self._base}, so nothing shows that it is "
                f"{self.domain}. Export the domain from its head."
            )
        return directory_entries.guid_text(guid)

    async def resolve(self, dns: Sequence[str]) -> dict[str, str]:
        index = await self._indexed()
        found = {dn: index.guid(dn) for dn in dns}
        return {
            dn: directory_entries.guid_text(raw)
            for dn, raw in found.items()
            if raw is not None
        }

    async def members(self, group: str, *, nested: bool) -> GroupMembers:
        index = await self._indexed()
        reading = search.Reading(self._path, index, self.domain.lower())
        return await asyncio.to_thread(reading.group, group, nested=nested)

    async def changes(
        self,
        kind: Kind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,  # noqa: ARG002 - all of a file is read anyway
    ) -> AsyncIterator[Entry | Cookie]:
        index = await self._indexed()
        if not index.complete:
            _log.warning(
                "nothing proves that the export is whole; end it with `# numEntries: N`"
                " or put a .sha256 beside it, and ask for all members of large groups",
                file=str(self._path),
            )
        full = cookie != index.digest
        if full:
            read = search.of_kind(self._path, index, kind=kind, asked=attributes)
            async for each in self._entries(read, attributes):
                if not each.deleted:
                    yield each
            await self._require_unchanged(index)
        yield Cookie(index.digest, complete=index.complete, full=full)

    async def empty(self, *_: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return nothing: an export does not say what its account could read."""
        return {}

    async def below(
        self,
        container: str,
        kind: Kind,
        attributes: Sequence[str],
        where: Filter | None = None,  # noqa: ARG002 - likewise
    ) -> AsyncIterator[Entry]:
        index = await self._indexed()
        heads = [
            parse_dn(each.dn)
            async for each in self.read([Lookup(by="guid", value=container)], ())
            if not each.deleted
        ]
        read = search.of_kind(self._path, index, kind=kind, asked=attributes)
        async for each in self._entries(read, attributes):
            if any(is_below(parse_dn(each.dn), head) for head in heads):
                yield each

    async def read(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,  # noqa: ARG002 - likewise
    ) -> AsyncIterator[Entry]:
        index = await self._indexed()
        read = search.named(self._path, index, lookups=lookups, asked=attributes)
        missing = dict.fromkeys(_guids(lookups) if index.complete else ())
        async for each in self._entries(read, attributes):
            missing.pop(each.guid, None)
            yield each
        if missing:
            # What the file lacks is only proved by a file that stayed as it was.
            await self._require_unchanged(index)
        for guid in missing:
            yield gone(guid)

    async def shows_all(self) -> bool:
        return (await self._indexed()).complete

    shows_values = shows_all

    async def lacking(self) -> tuple[str, ...]:
        """Whoever exported the file needed the rights."""
        return ()

    async def watch(self) -> AsyncIterator[None]:
        seen = await asyncio.to_thread(stamp_if_there, self._path)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            stamp = await asyncio.to_thread(stamp_if_there, self._path)
            if stamp != seen:
                yield
            seen = stamp

    async def close(self) -> None:
        """No file is kept open between reads."""

    async def _entries(
        self, read: Generator[Found, None, None], attributes: Sequence[str]
    ) -> AsyncIterator[Entry]:
        async for found in in_thread(read, abort=lambda: None):
            each = entry(found, attributes)
            if each is not None and domain_of(each.dn) == self.domain.lower():
                yield each

    async def _indexed(self) -> Index:
        """Return the index of the file as it is; there is one thread that makes it.

        A large file takes longer than those who ask may wait: it is made all the same,
        and what became of it is told to whoever asks next.
        """
        if self._indexing is None:
            work = asyncio.to_thread(self._fresh)
            self._indexing = asyncio.create_task(work, name=f"index {self.domain}")
        task = self._indexing
        try:
            return await asyncio.shield(task)
        finally:
            if task.done() and self._indexing is task:
                self._indexing = None

    def _fresh(self) -> Index:
        if self._index is None or self._index.stamp != stamp_of(self._path):
            self._index = build(self._path)
        return self._index

    async def _require_unchanged(self, index: Index) -> None:
        if await asyncio.to_thread(stamp_of, self._path) != index.stamp:
            raise Unavailable(
                f"{self._path} changed while it was read. Replace an export by "
                "renaming the new file over it; the read is made again."
            )
