"""An export that takes longer to index than requests may wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.ldif import ADA, entry

from cloudforest.adapters.ldif import directory
from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.adapters.ldif.index import LdifIndex, build_index
from cloudforest.base.errors import Rejected

X = entry("DC=x", ADA)


@pytest.fixture
def slow() -> threading.Event:
    """Indexing waits until this is set."""
    return threading.Event()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, slow: threading.Event) -> Callable[[], int]:
    """Make indexing slow; return a function that counts how often it started."""
    started = threading.Semaphore(0)

    def slowly(path: Path) -> LdifIndex:
        started.release()
        assert slow.wait(60)
        return build_index(path)

    monkeypatch.setattr(directory, "build_index", slowly)
    return lambda: started._value


async def impatient(directory: LdifDirectory) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await directory.identify_domain()


async def test_large_export_is_indexed_once_for_several_requests(
    tmp_path: Path, built: Callable[[], int], slow: threading.Event
):
    file = tmp_path / "x.ldif"
    file.write_text(X)
    directory = LdifDirectory("x", file)

    await impatient(directory)
    await impatient(directory)
    slow.set()
    assert await directory.identify_domain() == str(ADA)
    assert await directory.identify_domain() == str(ADA)
    assert built() == 1

    file.write_text(X + "# changed\n")
    assert await directory.identify_domain() == str(ADA)
    assert built() == 2


async def test_error_in_a_large_export_is_raised_at_the_next_request(
    tmp_path: Path, built: Callable[[], int], slow: threading.Event
):
    file = tmp_path / "x.ldif"
    file.write_text("no export\n")
    directory = LdifDirectory("x", file)

    await impatient(directory)
    slow.set()
    with pytest.raises(Rejected, match=r"x\.ldif:1"):
        await directory.identify_domain()
    assert built() == 1
