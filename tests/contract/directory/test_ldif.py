"""What only a file can do: change while it is read, or lack its end or its head."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers.contoso import staff
from tests.servers.samba import Contoso

from cloudforest.adapters.ldif import directory
from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import DirSyncCookie, Entry


async def read(
    directory: LdifDirectory, cookie: str | None
) -> list[Entry | DirSyncCookie]:
    return [item async for item in directory.read_changes("user", ["mail"], cookie)]


async def test_new_export_is_read_in_full(export: Path, tmp_path: Path):
    copy = tmp_path / "contoso.ldif"
    copy.write_bytes(export.read_bytes())
    directory = LdifDirectory("contoso.com", copy)
    *people, cookie = await read(directory, None)
    assert isinstance(cookie, DirSyncCookie)
    assert cookie.is_full
    assert await read(directory, cookie.value) == [replace(cookie, is_full=False)]

    copy.write_bytes(export.read_bytes() + b"\n# exported again\n")
    *again, other = await read(directory, cookie.value)

    assert again == people
    assert other != cookie


async def test_export_without_trailer_is_read_but_incomplete(
    export: Path, tmp_path: Path
):
    copy = tmp_path / "contoso.ldif"
    copy.write_bytes(export.read_bytes().partition(b"# numEntries")[0])

    *people, cookie = await read(LdifDirectory("contoso.com", copy), None)

    assert people
    assert isinstance(cookie, DirSyncCookie)
    assert not cookie.is_complete
    assert not await LdifDirectory("contoso.com", copy).shows_all_members()


async def test_export_that_lost_entries_is_rejected(export: Path, tmp_path: Path):
    copy = tmp_path / "contoso.ldif"
    whole = export.read_bytes()
    cut = whole.index(b"\n\n", len(whole) // 2)
    copy.write_bytes(whole[:cut] + whole[whole.rindex(b"\n\n") :])

    with pytest.raises(Rejected, match="Something was lost"):
        await read(LdifDirectory("contoso.com", copy), None)


async def test_export_of_another_domain_is_rejected(export: Path):
    with pytest.raises(Rejected, match="DC=fabrikam,DC=com"):
        await LdifDirectory("fabrikam.com", export).identify_domain()


async def test_missing_export_is_reported_with_its_path(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"gone\.ldif"):
        await LdifDirectory("contoso.com", tmp_path / "gone.ldif").identify_domain()


MADE_UP = "00000000-0000-0000-0000-000000000001"


async def read_by_guid(directory: LdifDirectory, *guids: str) -> dict[str, bool]:
    """Return for each object that is found whether it is deleted."""
    lookups = [Lookup(by="guid", value=guid) for guid in guids]
    return {
        each.object_guid: each.is_deleted
        async for each in directory.read_objects(lookups, ["cn"])
    }


async def test_object_missing_from_a_complete_export_is_gone(
    export: Path, contoso: Contoso
):
    present = contoso.samba.guid(staff(1))

    found = await read_by_guid(
        LdifDirectory("contoso.com", export), present, MADE_UP, "not a guid"
    )

    assert found == {present: False, MADE_UP: True}


async def test_object_missing_from_an_incomplete_export_is_not_reported(
    export: Path, tmp_path: Path, contoso: Contoso
):
    copy = tmp_path / "contoso.ldif"
    copy.write_bytes(export.read_bytes().partition(b"# numEntries")[0])
    present = contoso.samba.guid(staff(1))

    found = await read_by_guid(LdifDirectory("contoso.com", copy), present, MADE_UP)

    assert found == {present: False}


async def test_replaced_export_is_noticed(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(directory, "POLL_SECONDS", 0.05)
    copy = tmp_path / "contoso.ldif"
    copy.write_bytes(export.read_bytes())
    told = asyncio.ensure_future(
        anext(LdifDirectory("contoso.com", copy).watch_changes())
    )
    await asyncio.sleep(0.3)
    assert not told.done()

    newer = tmp_path / "newer.ldif"
    newer.write_bytes(export.read_bytes() + b"\n# exported again\n")
    newer.rename(copy)

    async with asyncio.timeout(30):
        await told
