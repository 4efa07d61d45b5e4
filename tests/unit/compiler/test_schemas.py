"""What ships and what is documented agree with what the compiler does."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from scripts.reference import diagnostics
from tests.support.trees import registered

from cloudforest import compiler
from cloudforest.base.files import shipped
from cloudforest.compiler.resolve import profile
from cloudforest.compiler.schemas import KINDS, bundled, schema_of, validator_of
from cloudforest.compiler.tree import built_in_mappings

ROOT = Path(__file__).parents[3]
KEBAB = re.compile(r"[a-z]+(-[a-z]+)+")
NOT_IDS = {"new-hybrid-customer"}
SCHEMAS = sorted(shipped("schemas").glob("*.json"))


def ids_in_the_code() -> set[str]:
    """Return every constant of the compiler that looks like an id."""
    found = set()
    for path in Path(compiler.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=str(text)) if KEBAB.fullmatch(text):
                    found.add(text)
    return found - NOT_IDS


def test_every_id_has_a_case():
    cases = {each.name.split(".")[0] for each in (ROOT / "tests/cases").glob("*.txt")}
    assert cases - {"0-valid"} == ids_in_the_code()


def test_every_case_provokes_the_id_that_it_is_named_for():
    for path in (ROOT / "tests/cases").glob("*.txt"):
        name = path.name.split(".")[0]
        if name != "0-valid":
            assert f"[{name}]" in path.read_text(encoding="utf-8"), path.name


def test_every_id_is_documented():
    """Else: add it to scripts/reference/diagnostics.toml, then `make reference`."""
    assert diagnostics.ids() == ids_in_the_code()


@pytest.mark.parametrize("name", sorted(built_in_mappings()))
def test_every_built_in_mapping_has_the_right_shape_and_compiles(name, tmp_path):
    document = built_in_mappings()[name]
    assert not list(validator_of("Mapping").iter_errors(document.content))
    text = (shipped("mappings") / f"{name}.yaml").read_text(encoding="utf-8")
    copy = text.replace(f"name: {name}", "name: copy")
    job = "---\nkind: Job\nname: copy\ndomain: contoso.com\nscope: everybody\n"
    tree = registered(tmp_path, copy=f"{copy}{job}mappings: [copy]\n")
    program, same = tree.programs["copy"].mappings[0], tree.programs["people"]
    assert program.rules in [each.rules for each in same.mappings]


def test_every_profile_is_readable():
    for path in (shipped("mappings") / "profiles").iterdir():
        assert profile(path.stem).name == path.stem
    assert profile("slack").requests_per_second == 3
    assert profile("aws-identity-center").page_size == 50


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


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_of_a_schema_is_valid(kind):
    schema = schema_of(kind)
    for name, each in properties(schema, kind):
        within = {"$defs": schema.get("$defs", {}), **each}
        for example in each["examples"]:
            errors = list(Draft202012Validator(within).iter_errors(example))
            assert not errors, (name, errors)


def test_the_tree_schema_picks_by_kind():
    schemas = [json.loads(each.read_text(encoding="utf-8")) for each in SCHEMAS]
    registry = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in schemas
    )
    validator = Draft202012Validator(schema_of("tree"), registry=registry)
    agent = {"kind": "Agent", "name": "a", "domains": ["contoso.com"], "run": "local"}
    assert validator.is_valid(agent)
    assert not validator.is_valid({**agent, "run": "x"})
    assert not validator.is_valid({**agent, "kind": "Agnet"})
    assert schema_of("tree")["properties"]["kind"]["enum"] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_schema_says_the_same_without_another_file(kind):
    bundle = bundled()
    Draft202012Validator.check_schema(bundle)
    document = {
        key: each["examples"][0] for key, each in schema_of(kind)["properties"].items()
    }
    alone = validator_of(kind)
    for odd in (document, {**document, "x": 1}, {**document, "name": 1}, {}):
        wrong = {**odd, "kind": kind}
        assert Draft202012Validator(bundle).is_valid(wrong) is alone.is_valid(wrong)


def test_every_field_of_a_noun_is_in_its_schema(tmp_path):
    tree = msgspec.to_builtins(registered(tmp_path))
    pairs = {"Target": "targets", "Forest": "forests", "Agent": "agents"}
    pairs |= {"Scope": "scopes", "Mapping": "mappings", "Job": "jobs"}
    for kind, key in pairs.items():
        for noun in tree[key]:
            assert noun.keys() <= schema_of(kind)["properties"].keys()
