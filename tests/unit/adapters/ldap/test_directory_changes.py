"""How a search for changes ends: with a refusal, or for a moment."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from cloudforest.adapters.ldap.ber import SearchResultDone, SearchResultEntry
from cloudforest.adapters.ldap.directory import wait_for_changes
from cloudforest.base.errors import Unavailable


class Session:
    """A controller that tells one change, and then ends the search."""

    controller = "ldaps://dc1.contoso.com"

    def __init__(self, code: int) -> None:
        self.code = code

    def disable_timeout(self) -> None: ...

    def search(
        self, *_asked, **_how
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        yield SearchResultEntry("", {})
        return SearchResultDone(self.code, "")


@pytest.mark.parametrize("code", [12, 53])
def test_a_controller_that_refuses_is_left_alone(code: int):
    assert len(list(wait_for_changes(Session(code), "DC=contoso,DC=com"))) == 1


@pytest.mark.parametrize("code", [0, 3, 51, 52])
def test_one_that_stops_is_watched_again(code: int):
    told = wait_for_changes(Session(code), "DC=contoso,DC=com")
    next(told)
    with pytest.raises(Unavailable, match="ended the search for changes"):
        next(told)
