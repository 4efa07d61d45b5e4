"""Documents to nouns: defaults filled, inheritance merged, paths relative to the tree.

Only for trees without errors.
"""

from __future__ import annotations

import posixpath
from functools import cache
from typing import Any

import msgspec
from ruamel.yaml import YAML

from cloudforest.base.files import shipped
from cloudforest.compiler.document import Document
from cloudforest.compiler.tree import Tree, seconds
from cloudforest.model.registration import (
    Agent,
    Extensions,
    Forest,
    Job,
    Mapping,
    Profile,
    Registration,
    Scope,
    Target,
    Tenant,
)

EFFECTS = (
    "creates",
    "disables",
    "deletes",
    "memberRemovals",
    "groupsEmptied",
    "attributesBlanked",
    "rekeys",
)
FILES = frozenset({"file", "ca", "certificate", "ldif"})
"""The keys that name one, relative to their document."""
ALWAYS_SENSITIVE = frozenset({"password"})
DEFAULT_SCENARIO = "new-hybrid-customer"
DEFAULT_INTERVAL = "2m"
DEFAULT_PROFILE = "generic"
DEFAULT_MAIL_TLS = "starttls"
MAIL_PORTS = {"starttls": 587, "implicit": 465, "off": 25}
"""Submission (RFC 6409), submission over TLS (RFC 8314), and plain SMTP."""


def resolve(tree: Tree) -> Registration:
    """Return the registration that a tree stands for, without its programs."""
    return Registration(
        tenant=_tenant(tree.of("Tenant")[0]),
        targets=tuple(_target(each) for each in tree.of("Target")),
        forests=tuple(_forest(each) for each in tree.of("Forest")),
        agents=tuple(_agent(each) for each in tree.of("Agent")),
        scopes=tuple(scope_noun(each) for each in tree.of("Scope")),
        mappings=tuple(mapping_noun(tree, each) for each in _mappings(tree)),
        jobs=tuple(_job(tree, each) for each in tree.of("Job")),
    )


def _fields(document: Document, *but: str) -> dict[str, Any]:
    return {
        key: value
        for key, value in document.content.items()
        if key not in {"kind", *but}
    }


def _in_order(names: list[Any]) -> list[Any]:
    """Sort names; one that is within an object goes by its text."""
    return sorted(names, key=lambda each: (str(each).casefold(), str(each)))


def _tenant(document: Document) -> Tenant:
    content = {"scenario": DEFAULT_SCENARIO, **_fields(document, "service")}
    content["notify"] = _in_order(content.get("notify", []))
    if "connectSync" in content:
        written = content["connectSync"].items()
        content["connectSync"] = {key: _in_order(names) for key, names in written}
    if "logRetention" in content:
        content["logRetention"] = seconds(content["logRetention"])
    if "mail" in content:
        content["mail"] = _mail(rebased(content["mail"], document))
    return msgspec.convert(content, Tenant)


def _mail(written: dict[str, Any]) -> dict[str, Any]:
    content = {"tls": DEFAULT_MAIL_TLS, **written}
    return {"port": MAIL_PORTS[content["tls"]], **content}


def _target(document: Document) -> Target:
    content = _fields(document)
    content["profile"] = profile(content.get("profile", DEFAULT_PROFILE))
    if "auth" in content:
        content["auth"] = rebased(content["auth"], document)
    return msgspec.convert(content, Target)


@cache
def profile(name: str) -> Profile:
    path = shipped("mappings") / "profiles" / f"{name}.yaml"
    fields = YAML(typ="safe", pure=True).load(path)
    return msgspec.convert({"name": name, **(fields or {})}, Profile)


def rebased(value: Any, document: Document, *, key: str = "") -> Any:
    """Return a value whose files are named relative to the tree."""
    match value:
        case dict():
            return {
                name: rebased(each, document, key=name) for name, each in value.items()
            }
        case str() if key in FILES:
            folder = posixpath.dirname(document.file)
            return posixpath.normpath(posixpath.join(folder, value))
    return value


def _forest(document: Document) -> Forest:
    domains = [_domain(each, document) for each in document.content["domains"]]
    domains.sort(key=lambda each: str(each["name"]))
    return msgspec.convert({"name": document.name, "domains": domains}, Forest)


def _domain(content: dict[str, Any], document: Document) -> dict[str, Any]:
    source = rebased(content["source"], document)
    if "activeDirectory" in source:
        source["activeDirectory"] = {"tls": {}, **source["activeDirectory"]}
    return {"name": content["name"].lower(), "source": source}


def _agent(document: Document) -> Agent:
    content = _fields(document)
    content["domains"] = sorted({each.lower() for each in content["domains"]})
    return msgspec.convert(content, Agent)


def scope_noun(document: Document) -> Scope:
    content = _fields(document)
    for key in ("organizationalUnits", "except", "groups"):
        if isinstance(content.get(key), list):
            content[key] = _in_order(content[key])
    return msgspec.convert(content, Scope)


def _mappings(tree: Tree) -> list[Document]:
    """Return the tree's mappings and the built-in ones that its jobs name."""
    own = {each.name: each for each in tree.of("Mapping")}
    for job in tree.of("Job"):
        for name in job.content["mappings"]:
            document = tree.mapping(name)
            if document is not None:
                own.setdefault(name, document)
    return [own[name] for name in sorted(own)]


def mapping_noun(tree: Tree, document: Document) -> Mapping:
    content = tree.merged(document) or {}
    content.pop("kind")
    content.pop("extends", None)
    has_active = content["targetObjectName"] == "User"
    default = "disable" if has_active else "delete"
    content["deprovision"] = {
        "outOfScope": default,
        "deleted": default,
        **content["deprovision"],
    }
    entries = content["attributeMappings"]
    content["attributeMappings"] = entries | {
        target: {**entries[target], "sensitive": True}
        for target in ALWAYS_SENSITIVE & entries.keys()
    }
    return msgspec.convert(content, Mapping)


def extensions_of(tree: Tree, mapping: str) -> Extensions:
    """Return the schemas of the target that a first job writes this mapping to."""
    targets = {each.name: each.content for each in tree.of("Target")}
    for job in tree.of("Job"):
        if mapping in job.content["mappings"]:
            target = targets[job.content.get("target", next(iter(targets)))]
            return msgspec.convert(target.get("extensions", {}), Extensions)
    return {}


def _job(tree: Tree, document: Document) -> Job:
    content = {"interval": DEFAULT_INTERVAL, **_fields(document)}
    content.setdefault("target", next((each.name for each in tree.of("Target")), ""))
    content["domain"] = content["domain"].lower()
    content["interval"] = seconds(content["interval"])
    content["mappings"] = sorted(content["mappings"])
    content["notify"] = _in_order(content.get("notify", []))
    written = content.get("guard", {})
    content["guard"] = {each: _budget(written.get(each, {})) for each in EFFECTS}
    return msgspec.convert(content, Job)


def _budget(written: dict[str, Any]) -> dict[str, Any]:
    """Return what is written; the rest are the budget's own defaults."""
    if "window" in written:
        return {**written, "window": seconds(written["window"])}
    return written
