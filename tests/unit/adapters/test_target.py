"""The SCIM client's rules that need no server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudforest.adapters.target.answers import Answer, judge
from cloudforest.adapters.target.lists import equality, has_value
from cloudforest.adapters.target.members import member_patches
from cloudforest.adapters.target.pace import COOLDOWN, THRESHOLD, Breaker, retry_after
from cloudforest.base.errors import Unavailable
from cloudforest.model.outcomes import Conflict, NotThere, Refusal

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0),
        (" 120 ", 120),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 11:59:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("userName", "zoe", 'userName eq "zoe"'),
        ("userName", 'a"b\\c', 'userName eq "a\\"b\\\\c"'),
        ("displayName", "Zoë", 'displayName eq "Zoë"'),
        (
            'emails[type eq "work"].value',
            "a@b",
            'emails[type eq "work" and value eq "a@b"]',
        ),
    ],
)
def test_an_equality_is_written_as_the_rfc_says(path, value, text):
    assert equality(path, value) == text


def test_an_external_id_has_its_case_and_a_name_has_none():
    resource = {"externalId": "Ab", "userName": "Straße"}
    assert has_value(resource, "externalId", "Ab")
    assert not has_value(resource, "externalId", "ab")
    assert has_value(resource, "userName", "STRASSE")
    assert not has_value(resource, "title", "")


def test_member_changes_are_cut_by_their_number():
    patches = list(member_patches(add=["a", "b", "c"], remove=['q"'], size=2))
    assert [[each["op"] for each in patch] for patch in patches] == [
        ["add"],
        ["add"],
        ["remove"],
    ]
    assert patches[0][0]["value"] == [{"value": "a"}, {"value": "b"}]
    assert patches[2][0]["path"] == 'members[value eq "q\\""]'


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotThere), (409, Conflict), (412, Refusal)]
)
def test_a_refusal_says_what_kind_and_nothing_of_the_detail(status, kind):
    document = {"scimType": "uniqueness", "detail": "zoe@contoso.com is taken"}
    with pytest.raises(kind) as refusal:
        judge(Answer(status, document), "The target cloud (x)", "POST /Users")
    reason = f"The target cloud (x) answered {status} uniqueness to POST /Users."
    assert refusal.value.reason == reason


def test_a_scim_type_that_is_not_a_keyword_is_not_passed_on():
    with pytest.raises(Refusal) as refusal:
        judge(Answer(400, {"scimType": "zoe@contoso.com"}), "T", "POST /Users")
    assert refusal.value.reason == "T answered 400 to POST /Users."


def test_the_breaker_opens_tries_once_and_closes():
    breaker = Breaker("The target cloud")
    for _ in range(THRESHOLD):
        breaker.check(0)
        breaker.failure("it answered 500", 0)
    with pytest.raises(Unavailable, match="the last one because it answered 500"):
        breaker.check(COOLDOWN - 1)
    breaker.check(COOLDOWN)
    with pytest.raises(Unavailable):
        breaker.check(COOLDOWN + 1)
    breaker.success()
    breaker.check(COOLDOWN + 1)
