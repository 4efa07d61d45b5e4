"""LDAP filters for lookups."""

from __future__ import annotations

import pytest

from cloudforest.adapters.ldap import filters
from cloudforest.base.errors import Rejected
from cloudforest.model.messages import Lookup


def test_filter_values_are_escaped():
    hostile = Lookup(by="attribute", attribute="mail", value="a)(objectClass=*\x00é")

    written = filters.lookups_filter([hostile, Lookup(by="guid", value="not a guid")])

    assert written == "(|(mail=a\\29\\28objectClass\\3d\\2a\\00\\c3\\a9))"


def test_lookup_by_invalid_attribute_name_is_rejected():
    with pytest.raises(Rejected, match="mail="):
        filters.lookups_filter([Lookup(by="attribute", attribute="mail=", value="x")])


def test_impossible_lookups_need_no_query():
    assert filters.lookups_filter([Lookup(by="guid", value="?")]) is None
