"""How a search for changes ends: with a refusal, or for a moment."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from cloudforest.adapters.ldap.ber import Ending, Raw
from cloudforest.adapters.ldap.directory import changes
from cloudforest.base.errors import Unavailable


class Session:
    """A controller that tells one change, and then ends the search."""

    controller = "ldaps://dc1.contoso.com"

    def __init__(self, code: int) -> None:
        self.code = code

    def wait_for_ever(self) -> None: ...

    def search(self, *_asked, **_how) -> Generator[Raw, None, Ending]:
        yield Raw("", {})
        return Ending(self.code, "")


@pytest.mark.parametrize("code", [12, 53])
def test_a_controller_that_refuses_is_left_alone(code: int):
    assert len(list(changes(Session(code), "DC=contoso,DC=com"))) == 1


@pytest.mark.parametrize("code", [0, 3, 51, 52])
def test_one_that_stops_is_watched_again(code: int):
    told = changes(Session(code), "DC=contoso,DC=com")
    next(told)
    with pytest.raises(Unavailable, match="ended the search for changes"):
        next(told)
