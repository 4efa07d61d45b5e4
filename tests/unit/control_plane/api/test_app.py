"""Which registrations the control plane accepts, and what each role sees."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from tests.support.renames import job, target, tree

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.api.app import require_complete, shape_redacted_log_entry
from cloudforest.model.cycles import LogEntry, LoggedMembers
from cloudforest.model.effects import Change
from cloudforest.model.identity import ROLES, sees_values
from cloudforest.model.registration import Domain, Forest, Registration, Source

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def whole(*nouns) -> Registration:
    domain = Domain(name="contoso.com", source=Source(ldif="a.ldif"))
    return replace(tree(*nouns), forests=(Forest(name="contoso", domains=(domain,)),))


@pytest.mark.parametrize(
    "nouns",
    [
        (target("cloud", formerly="cloud"),),
        (target("cloud"), target("new", formerly="cloud")),
        (target("a", formerly="old"), target("b", formerly="old")),
        (target("cloud"), job("a", formerly="people"), job("b", formerly="people")),
    ],
)
def test_name_shared_by_two_documents_now_or_before_is_refused(nouns):
    with pytest.raises(Misconfigured, match="same name"):
        require_complete(whole(*nouns))


def test_former_name_of_one_document_is_accepted():
    registration = whole(target("cloud", formerly="people"), job("a", formerly="b"))
    assert require_complete(registration) is registration


def test_role_plan_sees_neither_names_nor_values():
    entry = LogEntry(
        time=NOON,
        cycle="c",
        job="people",
        object="guid-a",
        name="anna@contoso.com",
        action="members",
        status="success",
        paths=("title",),
        changes=(Change(path="title", before="Clerk", after="Head"),),
        members=LoggedMembers(added=1, removed=0, add=("guid-b",)),
    )

    text = json.dumps(shape_redacted_log_entry(entry), default=str)

    assert not [each for each in ("anna", "Clerk", "Head", "guid-b") if each in text]
    assert "title" in text
    assert [role for role in ROLES if not sees_values(role)] == ["plan"]
