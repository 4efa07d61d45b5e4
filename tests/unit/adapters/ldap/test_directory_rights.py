"""How to find out whether an account sees tombstones."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from cloudforest.adapters.ldap import directory
from cloudforest.adapters.ldap.ber import SearchResultDone, SearchResultEntry
from cloudforest.adapters.ldap.session import BASE, LEVEL

BARE = SearchResultEntry("CN=Deleted Objects,DC=x", {})
READABLE = SearchResultEntry("CN=Deleted Objects,DC=x", {"objectclass": [b"container"]})
TOMBSTONE = SearchResultEntry("CN=a,CN=Deleted Objects,DC=x", {"name": [b"a"]})


class Shown:
    """A session that returns these entries for each search scope."""

    controller, account = "ldaps://dc1", "svc"

    def __init__(self, **scopes: list[SearchResultEntry]) -> None:
        self.scopes = scopes

    def search(
        self, _base: str, scope: str, **_: Any
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        yield from self.scopes.get(scope, [])
        return SearchResultDone(0, "")


@pytest.mark.parametrize(
    ("listed", "container", "expected"),
    [
        ([TOMBSTONE], [BARE], True),
        ([], [READABLE], True),
        ([], [BARE], False),
        ([], [], False),
    ],
    ids=["listed", "nothing deleted yet", "bare", "hidden"],
)
def test_can_see_deleted_needs_a_tombstone_or_a_readable_container(
    listed: list[SearchResultEntry],
    container: list[SearchResultEntry],
    *,
    expected: bool,
):
    shown = {LEVEL: listed, BASE: container}
    session: Any = Shown(**shown)

    assert directory.can_see_deleted(session, "DC=x") is expected
