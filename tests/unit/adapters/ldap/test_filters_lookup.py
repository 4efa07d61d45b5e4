"""The LDAP filter of a lookup."""

from __future__ import annotations

import pytest

from cloudforest.adapters.ldap import filters
from cloudforest.base.errors import Rejected
from cloudforest.model.messages import Lookup


def test_a_filter_value_can_not_break_out_of_its_place():
    hostile = Lookup(by="attribute", attribute="mail", value="a)(objectClass=*\x00é")

    found = filters.lookups_filter([hostile, Lookup(by="guid", value="not a guid")])

    assert found == "(|(mail=a\\29\\28objectClass\\3d\\2a\\00\\c3\\a9))"


def test_a_lookup_by_something_that_is_no_attribute_is_refused():
    with pytest.raises(Rejected, match="mail="):
        filters.lookups_filter([Lookup(by="attribute", attribute="mail=", value="x")])


def test_nothing_that_can_exist_needs_no_query():
    assert filters.lookups_filter([Lookup(by="guid", value="?")]) is None
