"""Members of a SCIM group, read and written."""

from __future__ import annotations

import pytest

from cloudforest.adapters.target.scim import member_patches, read_member_ids
from cloudforest.base.errors import Rejected


def test_member_changes_are_split_by_size():
    patches = list(member_patches(add=["a", "b", "c"], remove=['q"'], size=2))
    assert [[each["op"] for each in patch] for patch in patches] == [
        ["add"],
        ["add"],
        ["remove"],
    ]
    assert patches[0][0]["value"] == [{"value": "a"}, {"value": "b"}]
    assert patches[2][0]["path"] == 'members[value eq "q\\""]'


@pytest.mark.parametrize(
    "document", [{}, {"members": "ab"}, {"members": ["a"]}, {"members": {"value": "a"}}]
)
def test_answer_that_is_not_a_group_is_rejected(document):
    with pytest.raises(Rejected, match="base URL of a SCIM"):
        read_member_ids(document, "The target cloud (x)")
