"""Errors and documents from a target's answers."""

from __future__ import annotations

import pytest

from cloudforest.adapters.target.answers import Answer, parse_answer, require_success
from cloudforest.model.ports.target import Conflict, Refusal, ResourceNotFound


@pytest.mark.parametrize(
    ("status", "kind"), [(404, ResourceNotFound), (409, Conflict), (412, Refusal)]
)
def test_refusal_names_the_scim_type_but_not_the_detail(status, kind):
    document = {"scimType": "uniqueness", "detail": "zoe@contoso.com is taken"}
    with pytest.raises(kind) as refusal:
        require_success(Answer(status, document), "The target cloud (x)", "POST /Users")
    reason = f"The target cloud (x) answered {status} uniqueness to POST /Users."
    assert refusal.value.reason == reason


def test_scim_type_that_is_not_a_keyword_is_left_out():
    with pytest.raises(Refusal) as refusal:
        require_success(
            Answer(400, {"scimType": "zoe@contoso.com"}), "T", "POST /Users"
        )
    assert refusal.value.reason == "T answered 400 to POST /Users."


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"", {}),
        (b" \r\n", {}),
        (b'{"id": "1"}', {"id": "1"}),
        (b"<html>", None),
        (b"[]", None),
        (b"\xff", None),
        (b'{"a":' * 100_000, None),
    ],
)
def test_document_must_be_a_json_object(body, document):
    assert parse_answer(200, body).document == document
