"""Schemas and compiler agree: the compiler reads exactly what schemas allow."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from cloudforest import compiler
from cloudforest.compiler.compile import compile_tree
from cloudforest.compiler.document import Document, Locations
from cloudforest.compiler.schema_check import check_schema
from cloudforest.compiler.schemas import DOCUMENT_KINDS, load_schema
from cloudforest.model.registration import (
    Agent,
    Forest,
    Job,
    Mapping,
    Scope,
    Target,
    Tenant,
)

SECRET = {"env": "SECRET"}
FILE = {"file": "secret.txt"}
BUDGET = {"max": 7, "percent": 7, "base": 7, "window": "7h"}
EXTENSION = "urn:contoso:2.0:User"
EFFECTS = list(load_schema("Job")["properties"]["guard"]["properties"])
ENTRY = {
    "matchingPriority": 3,
    "flowType": "ObjectAddOnly",
    "flowBehavior": "FlowWhenChanged",
    "defaultValue": "none",
    "whenNull": "keep",
    "sensitive": True,
}
PERSON = {
    "dn": "CN=Ada,OU=People,DC=contoso,DC=com",
    "groups": ["CN=Staff,DC=contoso,DC=com"],
}
TREE: list[dict[str, Any]] = [
    {
        "kind": "Tenant",
        "name": "contoso",
        "service": {"url": "https://c.example", "token": SECRET},
        "scenario": "existing-hybrid-pilot",
        "notify": ["it@contoso.com"],
        "defaultDomain": "contoso.com",
        "connectSync": {
            "forests": ["fabrikam"],
            "organizationalUnits": ["OU=Staff,DC=fabrikam,DC=com"],
            "groups": ["CN=Synced,DC=fabrikam,DC=com"],
        },
        "logRetention": "7d",
        "mail": {
            "server": "smtp.contoso.com",
            "port": 2525,
            "tls": "implicit",
            "ca": "ca.pem",
            "from": "cf@contoso.com",
            "auth": {"username": "cf", "password": SECRET},
        },
    },
    {
        "kind": "Target",
        "name": "cloud",
        "formerly": "old",
        "scim": "https://scim.example",
        "auth": {"bearer": FILE},
        "profile": "generic",
        "extensions": {
            EXTENSION: {
                "badge": "string",
                "skills": {"type": "string", "multiValued": True},
            }
        },
    },
    {
        "kind": "Target",
        "name": "crm",
        "scim": "https://crm.example",
        "auth": {"basic": {"username": "cf", "password": SECRET}},
    },
    {
        "kind": "Target",
        "name": "erp",
        "scim": "https://erp.example",
        "auth": {
            "oauth2": {
                "tokenUrl": "https://login.example/token?tenant=contoso",
                "clientId": "cf",
                "clientSecret": SECRET,
                "scope": "scim.read scim.write",
            }
        },
    },
    {
        "kind": "Target",
        "name": "shop",
        "scim": "https://shop.example",
        "auth": {"mtls": {"certificate": "cf.pem", "key": FILE}},
    },
    {
        "kind": "Forest",
        "name": "contoso",
        "domains": [
            {
                "name": "contoso.com",
                "source": {
                    "activeDirectory": {
                        "controllers": ["ldaps://dc1.contoso.com"],
                        "tls": {"ca": "ca.pem", "serverName": "dc1", "verify": "off"},
                        "bind": {"username": "sync", "password": SECRET},
                    }
                },
            },
            {"name": "lab.contoso.com", "source": {"ldif": "lab.ldif"}},
        ],
    },
    {
        "kind": "Agent",
        "name": "sync01",
        "formerly": "sync00",
        "domains": ["contoso.com", "lab.contoso.com"],
        "run": "local",
    },
    {
        "kind": "Scope",
        "name": "staff",
        "organizationalUnits": [
            "OU=People,DC=contoso,DC=com",
            {"oneLevel": "OU=Staff,DC=contoso,DC=com"},
        ],
        "except": ["OU=Old,OU=People,DC=contoso,DC=com"],
        "groups": ["CN=Staff,DC=contoso,DC=com"],
        "nestedGroups": True,
        "filters": {"user": "title pr", "group": "cn pr", "contact": "mail pr"},
    },
    {
        "kind": "Mapping",
        "name": "people",
        "extends": "ad-user-to-scim",
        "sourceObjectName": "user",
        "targetObjectName": "User",
        "attributeMappings": {
            "nickName": {"source": "[cn]", **ENTRY},
            "title": {"template": "{{ title }}"},
            "locale": {"constant": "en"},
            "enterprise:manager": {
                "source": "[manager]",
                "exportMissingReferences": True,
            },
        },
        "deprovision": {"outOfScope": "keep", "deleted": "keep"},
    },
    {
        "kind": "Job",
        "name": "people",
        "formerly": "users",
        "domain": "contoso.com",
        "target": "cloud",
        "scope": "staff",
        "mappings": ["people"],
        "interval": "7m",
        "enabled": False,
        "guard": dict.fromkeys(EFFECTS, BUDGET),
        "notify": ["hr@contoso.com"],
    },
    {
        "kind": "Mapping",
        "name": "small",
        "sourceObjectName": "user",
        "targetObjectName": "User",
        "attributeMappings": {"userName": {"source": "[cn]", "matchingPriority": 1}},
    },
    {
        "kind": "Example",
        "name": "in",
        "mapping": "small",
        "scope": "staff",
        "object": {**PERSON, "attributes": {"cn": "Ada", "title": "Dr"}},
        "resource": {"userName": "Ada"},
    },
    {
        "kind": "Example",
        "name": "out",
        "mapping": "small",
        "scope": "staff",
        "object": {**PERSON, "attributes": {"cn": "Ada"}},
        "out": "filters.user",
    },
]
NOT_KEPT = {("Mapping", "attributeMappings", "*", "flowBehavior"), ("Example", "name")}
"""`flowBehavior` has one value only; the name of an example has no effect."""

Path_ = tuple[str | int, ...]


def result(folder: Path, documents: list[dict[str, Any]]) -> Any:
    """Return the visible result of compiling documents; JSON is YAML."""
    text = "\n---\n".join(map(json.dumps, documents))
    (folder / "tree.yaml").write_text(text)
    found = compile_tree(folder)
    mistakes = [(each.id, each.message) for each in found.diagnostics]
    return found.registration, found.service, mistakes


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for key, part in (found := list(parts)):
        yield from leaves(part, (*path, key))
    if not found:
        yield path


def changes(value: Any) -> Iterator[Any]:
    """Yield other values of the same type."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case _:
            yield from ("on", "off", "remote", "delete", "starttls", "8h", "8m", "8d")
            yield from ("Always", "clear", "group", "Group", "cn eq null", "[sn]")
            yield from (
                "https://other.example",
                "ldaps://other",
                "DC=contoso,DC=com",
                "a@b.com",
            )
            yield from ("new-hybrid-customer", "integer", f"{value}x")


def shaped(document: dict[str, Any]) -> bool:
    return not check_schema(Document(document, Locations("x", "", {}, {})))[0]


def variants(document: dict[str, Any], path: Path_) -> Iterator[dict[str, Any]]:
    """Yield valid documents that differ at a path."""
    *parents, last = path
    for value in changes(at(document, path)):
        changed = copy.deepcopy(document)
        at(changed, parents)[last] = value
        if changed != document and shaped(changed):
            yield changed


def at(value: Any, path: Any) -> Any:
    for key in path:
        value = value[key]
    return value


def in_schema(kind: str, path: Path_) -> tuple[str, ...]:
    """Return the path in the schema, with `*` for names that it leaves open."""
    names = [each for each in path if isinstance(each, str)]
    open_ = {"attributeMappings", "attributes", "resource", "extensions", EXTENSION}
    pairs = zip([kind, *names], names, strict=False)
    return (kind, *("*" if before in open_ else each for before, each in pairs))


PLACES: dict[tuple[str, ...], list[tuple[int, Path_]]] = {}
for number, written in enumerate(TREE):
    for leaf in leaves(written):
        PLACES.setdefault(in_schema(written["kind"], leaf), []).append((number, leaf))


@pytest.mark.parametrize("name", PLACES, ids=".".join)
def test_every_property_changes_the_compiled_tree(name, tmp_path):
    if name in NOT_KEPT or name[1] == "kind":
        return
    whole = result(tmp_path, TREE)
    assert whole[0] is not None, whole[2]
    trees = [
        [*TREE[:index], each, *TREE[index + 1 :]]
        for index, path in PLACES[name]
        for each in variants(TREE[index], path)
    ]
    assert any(result(tmp_path, tree) != whole for tree in trees)


def allowed(
    node: dict[str, Any], root: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Yield the path of every leaf property of a schema."""
    if "$ref" in node:
        node = {**at(root, node["$ref"].removeprefix("#/").split("/")), **node}
    inner = dict(node.get("properties", {}))
    if isinstance(node.get("additionalProperties"), dict):
        inner["*"] = node["additionalProperties"]
    if "items" in node:
        yield from allowed(node["items"], root, path)
        return
    for name, each in inner.items():
        yield from allowed(each, root, (*path, name))
    if not inner:
        yield path


# Examples are not registered; test_examples.py covers them.
@pytest.mark.parametrize("kind", [each for each in DOCUMENT_KINDS if each != "Example"])
def test_tree_of_this_test_has_every_property_of_the_schema(kind):
    schema = load_schema(kind)
    tried = {
        in_schema(kind, path)
        for document in TREE
        if document["kind"] == kind
        for path in leaves(document)
    }
    # Both forms of a secret reference occur in the tree, and have one type.
    missing = {each for each in allowed(schema, schema, (kind,)) if each not in tried}
    assert {each for each in missing if each[-1] not in SECRET | FILE} == set()


# Examples are not registered: `compiler.examples` reads them.
MODELS = {
    "Tenant": Tenant,
    "Target": Target,
    "Forest": Forest,
    "Agent": Agent,
    "Scope": Scope,
    "Mapping": Mapping,
    "Job": Job,
}


def fields(found: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every field of a type of the model, as decoded."""
    match found:
        case inspect.StructType():
            for each in found.fields:
                yield (*path, each.encode_name)
                yield from fields(each.type, (*path, each.encode_name))
        case inspect.VarTupleType(item_type=inner):
            yield from fields(inner, path)
        case inspect.DictType(value_type=inner):
            yield from fields(inner, (*path, "*"))
        case inspect.UnionType(types=types):
            for each in types:
                yield from fields(each, path)


def exists(node: dict[str, Any], root: dict[str, Any], path: tuple[str, ...]) -> bool:
    if "$ref" in node:
        node = at(root, node["$ref"].removeprefix("#/").split("/"))
    node = node.get("items", node)
    if "$ref" in node or not path:
        return not path or exists(node, root, path)
    first, *rest = path
    inner = node.get("properties", {}).get(first)
    if first == "*":
        inner = node.get("additionalProperties") or next(
            iter(node["properties"].values())
        )
    return bool(inner) and exists(inner, root, tuple(rest))


@pytest.mark.parametrize("kind", MODELS)
def test_every_decoded_field_is_in_the_schema(kind):
    schema = load_schema(kind)
    found = set(fields(inspect.type_info(MODELS[kind]), ()))
    # A Target only names its profile, which is read from mappings/profiles.
    found = {each for each in found if not (kind == "Target" and each[:1] == PROFILE)}
    assert {each for each in found if not exists(schema, schema, each)} == set()


PROFILE = ("profile",)
READERS = ("compile.py", "resolve.py", "tree.py", "rules")


def keys_read() -> Iterator[str]:
    """Yield every constant that the compiler looks up in any mapping."""
    folder = Path(compiler.__file__).parent
    files = [folder / each for each in READERS]
    files = [
        each for one in files for each in (one.rglob("*.py"), [one])[one.is_file()]
    ]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Subscript(slice=ast.Constant(value=str(key))):
                    yield key
                case ast.Call(
                    func=ast.Attribute(attr="get" | "pop" | "setdefault"),
                    args=[ast.Constant(value=str(key)), *_],
                ):
                    yield key
                case ast.Compare(
                    left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()]
                ):
                    yield key
                case ast.MatchMapping(keys=keys):
                    yield from (each.value for each in keys)


def test_every_key_that_the_compiler_looks_up_is_in_a_schema():
    known = {
        name
        for kind in DOCUMENT_KINDS
        for path in allowed(load_schema(kind), load_schema(kind), (kind,))
        for name in path
    }
    assert set(keys_read()) - known == set()
    assert len(set(keys_read())) > 20


def test_decoder_refuses_what_the_schema_forbids():
    for kind, type_ in MODELS.items():
        with pytest.raises(msgspec.ValidationError, match="unknown"):
            msgspec.convert({"unknownKey": 1}, type_)
        assert not shaped({"kind": kind, "unknownKey": 1})
