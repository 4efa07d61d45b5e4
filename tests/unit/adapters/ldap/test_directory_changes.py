"""How a search for change notifications ends."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from cloudforest.adapters.ldap.ber import SearchResultDone, SearchResultEntry
from cloudforest.adapters.ldap.directory import wait_for_changes
from cloudforest.base.errors import Unavailable


class Session:
    """A controller that reports one change, and then ends the search."""

    controller = "ldaps://dc1.contoso.com"

    def __init__(self, code: int) -> None:
        self.code = code

    def disable_timeout(self) -> None: ...

    def search(
        self, *_args, **_options
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        yield SearchResultEntry("", {})
        return SearchResultDone(self.code, "")


@pytest.mark.parametrize("code", [12, 53])
def test_watch_ends_quietly_when_the_controller_refuses(code: int):
    assert len(list(wait_for_changes(Session(code), "DC=contoso,DC=com"))) == 1


@pytest.mark.parametrize("code", [0, 3, 51, 52])
def test_watch_is_unavailable_when_the_controller_ends_it(code: int):
    changes = wait_for_changes(Session(code), "DC=contoso,DC=com")
    next(changes)
    with pytest.raises(Unavailable, match="ended the search for changes"):
        next(changes)
