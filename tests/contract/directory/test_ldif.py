"""What only a file can do: change under us, lack its end, lack its head."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudforest.adapters.directory.ldif import LdifDirectory
from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.model.ports import Cookie, Entry


async def read(directory: LdifDirectory, cookie: str | None) -> list[Entry | Cookie]:
    return [item async for item in directory.changes("user", ["mail"], cookie)]


async def test_a_new_export_is_read_in_full(export: Path, tmp_path: Path):
    copy = tmp_path / "contoso.ldif"
    copy.write_bytes(export.read_bytes())
    directory = LdifDirectory("contoso.com", copy)
    *people, cookie = await read(directory, None)
    assert isinstance(cookie, Cookie)
    assert await read(directory, cookie.value) == [cookie]

    copy.write_bytes(export.read_bytes() + b"\n# exported again\n")
    *again, other = await read(directory, cookie.value)

    assert again == people
    assert other != cookie


async def test_an_export_without_an_end_is_read_but_proves_nothing(
    export: Path, tmp_path: Path
):
    copy = tmp_path / "contoso.ldif"
    copy.write_bytes(export.read_bytes().partition(b"# numEntries")[0])

    *people, cookie = await read(LdifDirectory("contoso.com", copy), None)

    assert people
    assert isinstance(cookie, Cookie)
    assert not cookie.complete


async def test_an_export_that_lost_entries_is_refused(export: Path, tmp_path: Path):
    copy = tmp_path / "contoso.ldif"
    whole = export.read_bytes()
    cut = whole.index(b"\n\n", len(whole) // 2)
    copy.write_bytes(whole[:cut] + whole[whole.rindex(b"\n\n") :])

    with pytest.raises(Rejected, match="Something was lost"):
        await read(LdifDirectory("contoso.com", copy), None)


async def test_an_export_of_another_domain_is_refused(export: Path):
    with pytest.raises(Rejected, match="no entry DC=fabrikam,DC=com"):
        await LdifDirectory("fabrikam.com", export).identify()


async def test_a_missing_export_is_named(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"gone\.ldif"):
        await LdifDirectory("contoso.com", tmp_path / "gone.ldif").identify()
