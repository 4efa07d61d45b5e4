"""What shows that an account sees tombstones."""

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
    """A session that shows these entries at each scope."""

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
def test_tombstones_are_seen_where_one_is_or_where_the_container_can_be_read(
    listed: list[SearchResultEntry],
    container: list[SearchResultEntry],
    *,
    expected: bool,
):
    shown = {LEVEL: listed, BASE: container}
    session: Any = Shown(**shown)

    assert directory.can_see_deleted(session, "DC=x") is expected
