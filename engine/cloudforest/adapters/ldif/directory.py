"""The directory port over an LDIF export: passes over the file, and an index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from pathlib import Path

import structlog

from cloudforest.adapters.directory_entries import (
    DirectoryEntry,
    format_guid,
    iterate_in_thread,
    parse_guid,
    to_entry,
)
from cloudforest.adapters.ldif import search
from cloudforest.adapters.ldif.index import LdifIndex, build_index
from cloudforest.adapters.ldif.reader import find_stamp, read_stamp
from cloudforest.base.errors import Rejected, Unavailable
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import (
    DirSyncCookie,
    Entry,
    EntryKind,
    GroupMembers,
)
from cloudforest.model.program import Filter, ObjectType
from cloudforest.program.scoping.dn import find_domain_name, is_in_subtree, parse_dn

POLL_SECONDS = 3.0
"""How often a watched file is checked."""

_log = structlog.get_logger()


class LdifDirectory:
    """One exported domain, in a file that may also contain others of its forest.

    The cookie is the file's digest: the same file has no changes, another one is read
    in full. A read is complete only if `# numEntries: N` in the file or FILE.sha256
    beside it agrees. An object that a complete export lacks is gone.
    """

    def __init__(self, domain: str, path: Path) -> None:
        self.domain = domain
        self._path = path
        self._base = ",".join(f"DC={label}" for label in domain.split("."))
        self._index: LdifIndex | None = None
        self._index_task: asyncio.Task[LdifIndex] | None = None

    async def identify_domain(self) -> str:
        index = await self._current_index()
        guid = index.find_guid(self._base)
        if guid is None:
            raise Rejected(
                f"{self._path} does not contain the entry {self._base}, so it is not "
                f"an export of {self.domain}. Export the domain from its head."
            )
        return format_guid(guid)

    async def resolve_dns(self, dns: Sequence[str]) -> dict[str, str]:
        index = await self._current_index()
        return {
            dn: format_guid(guid)
            for dn in dns
            if (guid := index.find_guid(dn)) is not None
        }

    async def read_members(self, group: str, *, nested: bool) -> GroupMembers:
        index = await self._current_index()
        domain = self.domain.lower()
        return await asyncio.to_thread(
            search.read_members, self._path, index, domain, group, nested=nested
        )

    async def read_changes(
        self,
        kind: EntryKind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,  # noqa: ARG002 - the whole file is read anyway
    ) -> AsyncIterator[Entry | DirSyncCookie]:
        index = await self._current_index()
        if not index.complete:
            _log.warning(
                "the export may be incomplete; end it with `# numEntries: N` or put a"
                " .sha256 file beside it, and export all members of large groups",
                file=str(self._path),
            )
        full = cookie != index.digest
        if full:
            reader = search.find_by_kind(self._path, index, kind=kind, names=attributes)
            async for each in self._read_entries(reader, attributes):
                if not each.is_deleted:
                    yield each
            await self._require_unchanged(index)
        yield DirSyncCookie(index.digest, is_complete=index.complete, is_full=full)

    async def find_proven_clear(self, *_: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return nothing: an export does not show what its account could read."""
        return {}

    async def read_subtree(
        self,
        container: str,
        kind: EntryKind,
        attributes: Sequence[str],
        where: Filter | None = None,  # noqa: ARG002 - as above
    ) -> AsyncIterator[Entry]:
        index = await self._current_index()
        named = self.read_objects([Lookup(by="guid", value=container)], ())
        heads = [parse_dn(each.dn) async for each in named if not each.is_deleted]
        reader = search.find_by_kind(self._path, index, kind=kind, names=attributes)
        async for each in self._read_entries(reader, attributes):
            if any(is_in_subtree(parse_dn(each.dn), head) for head in heads):
                yield each

    async def read_objects(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,  # noqa: ARG002 - as above
    ) -> AsyncIterator[Entry]:
        index = await self._current_index()
        reader = search.find_by_lookups(
            self._path, index, lookups=lookups, names=attributes
        )
        named = (parse_guid(each.value) for each in lookups if each.by == "guid")
        missing = {str(each): None for each in named if each and index.complete}
        async for each in self._read_entries(reader, attributes):
            missing.pop(each.object_guid, None)
            yield each
        if missing:
            # An absence is proven only if the file did not change meanwhile.
            await self._require_unchanged(index)
        for guid in missing:
            yield Entry(
                object_guid=guid,
                dn="",
                type=None,
                classes=frozenset(),
                parent=None,
                is_deleted=True,
                attributes={},
            )

    async def shows_all_members(self) -> bool:
        return (await self._current_index()).complete

    shows_all_values = shows_all_members

    async def list_missing_rights(self) -> tuple[str, ...]:
        """Return nothing: the account that exported the file needed the rights."""
        return ()

    async def watch_changes(self) -> AsyncIterator[None]:
        previous = await asyncio.to_thread(find_stamp, self._path)
        while True:
            await asyncio.sleep(POLL_SECONDS)
            current = await asyncio.to_thread(find_stamp, self._path)
            if current != previous:
                yield
            previous = current

    async def close(self) -> None:
        """Do nothing: no file stays open between reads."""

    async def _read_entries(
        self, reader: Generator[DirectoryEntry, None, None], attributes: Sequence[str]
    ) -> AsyncIterator[Entry]:
        async for raw in iterate_in_thread(reader, abort=lambda: None):
            entry = to_entry(raw, attributes)
            if entry and find_domain_name(entry.dn) == self.domain.lower():
                yield entry

    async def _current_index(self) -> LdifIndex:
        """Return the index of the current file; one thread at a time builds it.

        A large file takes longer than a request may wait. The build then continues, and
        the next request gets its result.
        """
        if self._index_task is None:
            work = asyncio.to_thread(self._build_if_changed)
            self._index_task = asyncio.create_task(work, name=f"index {self.domain}")
        task = self._index_task
        try:
            return await asyncio.shield(task)
        finally:
            if task.done() and self._index_task is task:
                self._index_task = None

    def _build_if_changed(self) -> LdifIndex:
        if self._index is None or self._index.stamp != read_stamp(self._path):
            self._index = build_index(self._path)
        return self._index

    async def _require_unchanged(self, index: LdifIndex) -> None:
        if await asyncio.to_thread(read_stamp, self._path) != index.stamp:
            raise Unavailable(
                f"{self._path} changed while it was read. The read is repeated. To "
                "replace an export, rename the new file over it."
            )
