"""Any document gives diagnostics: never an exception, never a secret."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from tests.support.trees import compiled

from cloudforest.compiler.schema_check import check_schema
from cloudforest.compiler.schemas import DOCUMENT_KINDS, load_schema
from cloudforest.compiler.yaml import parse_yaml

SECRET = "hunter2-not-real"
FOREST = "{kind: Forest, name: x, domains: [{name: x.y, source: {activeDirectory: {"
ODD = [None, "", "x", " ", "a\n", 0, -1, 1.5, 500.0, 1e30, True, [], [None], [[]], {}]
ODD += [{"": None}, ["x", 1], {"env": None}, {"source": 1}, "[x", "\U0001f333"]


def example(kind: str) -> dict[str, object]:
    """Return a document with all keys of its schema that may stand together."""
    properties = dict(load_schema(kind)["properties"])
    for other in load_schema(kind).get("oneOf", [])[1:]:
        del properties[other["required"][0]]
    return {key: copy.deepcopy(each["examples"][0]) for key, each in properties.items()}


def variations(value: object) -> Iterator[object]:
    """Yield copies of a value with one part replaced by an odd value."""
    yield from ODD
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for key, part in list(parts):
        for odd in variations(part):
            changed = copy.copy(value)
            changed[key] = odd
            yield changed


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_no_wrong_value_raises(kind, tmp_path):
    texts = [json.dumps(each) for each in variations(example(kind))]
    documents = [each for text in texts for each in parse_yaml("odd.yaml", text)[0]]
    shaped = [each for each in documents if not check_schema(each)[0]]
    assert 0 < len(shaped) < len(documents)
    for each in shaped:
        compiled(tmp_path, odd=each.locations.text)


@pytest.mark.parametrize(
    "text",
    [
        "{kind: Target, name: x, scim: embedded, auth: SECRET}",
        "{kind: Target, name: x, scim: embedded, auth: {bearer: SECRET}}",
        "{kind: Target, name: x, scim: embedded, auth: {bearer: [SECRET]}}",
        "{kind: Target, name: x, scim: embedded, auth: {bearer: {value: SECRET}}}",
        "{kind: Target, name: x, scim: embedded, auth: {bearer: {env: 'SECRET!'}}}",
        "{kind: Target, name: x, scim: embedded, auth: {basic: 'me:SECRET'}}",
        "{kind: Target, name: x, scim: 'https://me:SECRET@x.example'}",
        "{kind: Target, name: x, scim: embedded, auth: {oauth2: SECRET}}",
        "{kind: Target, name: x, auth: {oauth2: {clientSecret: SECRET}}}",
        "{kind: Target, name: x, auth: {oauth2: {tokenUrl: 'https://x:SECRET@x'}}}",
        "kind: Target\nname: x\nauth:\n  mtls:\n    key: |\n      x\n      SECRET\n",
        "{kind: Target, name: x, scim: 'https://x.example/?access_token=SECRET'}",
        "{kind: Target, name: x, scim: 'x.example/scim?sig=SECRET'}",
        "{kind: Target, name: x, scim: 'https://x.example/scim?SECRET'}",
        "{kind: Target, name: x, scim: 'https://x.example/#id=SECRET'}",
        "{kind: Target, name: x, scim: embedded, password: SECRET}",
        "{kind: Tenant, name: x, service: 'https://me:SECRET@x.example'}",
        "{kind: Tenant, name: x, service: {url: 'https://x', token: SECRET}}",
        "{kind: Tenant, name: x, service: {url: 'https://x?token=SECRET'}}",
        "{kind: Tenant, name: x, service: 'https://x?token=SECRET'}",
        FOREST + "controllers: ['ldaps://x.y/?bindpw=SECRET']}}}]}",
        FOREST + "controllers: [\n'ldaps://a'\n,\n'ldaps://x.y/?bindpw=SECRET']}}}]}",
        "kind: Target\nname: x\npasword: SECRET\n",
        "kind: Target\nname: x\npasswrd: SECRET\n",
        "kind: Target\nname: x\nclientSecret: SECRET\n",
        "kind: Target\nname: x\nADMIN_KEY: SECRET\n",
        "kind: Target\nname: x\nheaders:\n  Authorization: SECRET: 1\n",
        "{kind: Tenant, name: x, mail: {server: 'smtp://me:SECRET@x', from: a@x}}",
        "{kind: Tenant, name: x, mail: {server: x, from: a@x, auth: SECRET}}",
        "{kind: Tenant, name: x, mail: {server: x, auth: {password: SECRET}}}",
        "kind: Target\nname: x\nscim: embedded\nauth:\n  bearer:\n    SECRET\n",
        "kind: Target\nname: x\nscim: embedded\nauth: {bearer: {env:\n  SECRET!}}\n",
        "kind: Target\nname: x\nauth: {bearer: {env: X,\n  value: SECRET}}\n",
        "kind: Target\nname: x\nauth:\n  basic:\n    username: x\n    pin: SECRET\n",
        "kind: Target\nname: x\nauth:\n  basic:\n    - x\n    - y\n    - SECRET\n",
        "kind: Target\nname: x\npassword: 'SECRET\n",
        "kind: Target\nname: x\npassword: !x SECRET\n",
        "kind: Target\nname: x\ntoken:\n  - &x SECRET\n",
    ],
)
def test_misplaced_secret_is_reported_and_not_shown(text, tmp_path):
    result = compiled(tmp_path, wrong=text.replace("SECRET", SECRET))
    assert result.registration is None
    assert not any(SECRET in repr(each) for each in result.diagnostics)
