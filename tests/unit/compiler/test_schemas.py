"""The schemas are valid, documented, and agree with one another."""

from __future__ import annotations

import json

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from tests.support.trees import registered

from cloudforest import __version__
from cloudforest.base.files import find_shipped
from cloudforest.compiler.schemas import (
    DOCUMENT_KINDS,
    LANGUAGE_VERSION,
    bundle_schemas,
    load_schema,
    make_validator,
)

SCHEMAS = sorted(find_shipped("schemas").glob("*.json"))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda each: each.name)
def test_every_schema_is_valid(path):
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def properties(schema: object, name: str) -> list[tuple[str, dict[str, object]]]:
    found = []
    if isinstance(schema, dict):
        for key, value in schema.get("properties", {}).items():
            if value.keys() != {"const"}:
                found.append((f"{name}.{key}", value))
        for key, value in schema.items():
            found += properties(value, f"{name}.{key}")
    elif isinstance(schema, list):
        for value in schema:
            found += properties(value, name)
    return found


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda each: each.name)
def test_every_property_has_a_description_and_an_example(path):
    found = properties(json.loads(path.read_text(encoding="utf-8")), path.stem)
    assert found
    bare = [name for name, each in found if not {"description", "examples"} <= {*each}]
    assert not bare


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_every_example_of_a_schema_is_valid(kind):
    schema = load_schema(kind)
    for name, each in properties(schema, kind):
        within = {"$defs": schema.get("$defs", {}), **each}
        for example in each["examples"]:
            errors = list(Draft202012Validator(within).iter_errors(example))
            assert not errors, (name, errors)


def test_tree_schema_selects_the_schema_by_kind():
    schemas = [json.loads(each.read_text(encoding="utf-8")) for each in SCHEMAS]
    registry = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in schemas
    )
    validator = Draft202012Validator(load_schema("tree"), registry=registry)
    agent = {"kind": "Agent", "name": "a", "domains": ["contoso.com"], "run": "local"}
    assert validator.is_valid(agent)
    assert not validator.is_valid({**agent, "run": "x"})
    assert not validator.is_valid({**agent, "kind": "Agnet"})
    assert load_schema("tree")["properties"]["kind"]["enum"] == list(DOCUMENT_KINDS)


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_bundled_schema_agrees_and_needs_no_other_file(kind):
    bundle = bundle_schemas()
    Draft202012Validator.check_schema(bundle)
    document = {
        key: each["examples"][0]
        for key, each in load_schema(kind)["properties"].items()
    }
    alone = make_validator(kind)
    for odd in (document, {**document, "x": 1}, {**document, "name": 1}, {}):
        wrong = {**odd, "kind": kind}
        assert Draft202012Validator(bundle).is_valid(wrong) is alone.is_valid(wrong)


def test_every_field_of_the_model_is_in_its_schema(tmp_path):
    tree = msgspec.to_builtins(registered(tmp_path))
    pairs = {"Target": "targets", "Forest": "forests", "Agent": "agents"}
    pairs |= {"Scope": "scopes", "Mapping": "mappings", "Job": "jobs"}
    for kind, key in pairs.items():
        for each in tree[key]:
            assert each.keys() <= load_schema(kind)["properties"].keys()


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda each: each.name)
def test_schema_carries_the_language_version(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["x-language-version"] == LANGUAGE_VERSION
    assert list(schema)[:3] == ["$schema", "$id", "x-language-version"]


def test_language_version_is_a_minor_release_until_now():
    def numbers(version: str) -> list[int]:
        return [int(each) for each in version.split(".")]

    assert len(numbers(LANGUAGE_VERSION)) == 2
    assert numbers(LANGUAGE_VERSION) <= numbers(__version__)[:2]


def test_schema_for_editors_carries_the_version_once():
    assert bundle_schemas()["x-language-version"] == LANGUAGE_VERSION
    assert json.dumps(bundle_schemas()).count("x-language-version") == 1
