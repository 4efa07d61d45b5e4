"""Turn documents into a registration: defaults, inheritance, paths.

Paths become relative to the tree. The tree must be free of errors.
"""

from __future__ import annotations

import posixpath
from functools import cache
from typing import Any

import msgspec
from ruamel.yaml import YAML

from cloudforest.base.files import find_shipped
from cloudforest.compiler.document import Content, Document
from cloudforest.compiler.tree import DocumentTree, parse_duration
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

GUARDED_EFFECTS = (
    "creates",
    "disables",
    "deletes",
    "memberRemovals",
    "groupsEmptied",
    "attributesBlanked",
    "rekeys",
)
FILE_KEYS = frozenset({"file", "ca", "certificate", "ldif"})
"""Keys whose value is a path, relative to its document."""
SENSITIVE_TARGETS = frozenset({"password"})
DEFAULT_SCENARIO = "new-hybrid-customer"
DEFAULT_INTERVAL = "2m"
DEFAULT_PROFILE = "generic"
DEFAULT_MAIL_TLS = "starttls"
MAIL_PORTS = {"starttls": 587, "implicit": 465, "off": 25}
"""Submission (RFC 6409), submission over TLS (RFC 8314), and plain SMTP."""


def _select_fields(document: Document, *excluded: str) -> Content:
    left_out = {"kind", *excluded}
    return {key: each for key, each in document.content.items() if key not in left_out}


def _sort_names(names: list[Any]) -> list[Any]:
    """Sort names; an object such as `{oneLevel: DN}` sorts by its text."""
    return sorted(names, key=lambda each: (str(each).casefold(), str(each)))


def _resolve_tenant(document: Document) -> Tenant:
    content = {"scenario": DEFAULT_SCENARIO, **_select_fields(document, "service")}
    content["notify"] = _sort_names(content.get("notify", []))
    if "connectSync" in content:
        written = content["connectSync"].items()
        content["connectSync"] = {key: _sort_names(names) for key, names in written}
    if "logRetention" in content:
        content["logRetention"] = parse_duration(content["logRetention"])
    if "mail" in content:
        mail = {"tls": DEFAULT_MAIL_TLS, **rebase_paths(content["mail"], document)}
        content["mail"] = {"port": MAIL_PORTS[mail["tls"]], **mail}
    return msgspec.convert(content, Tenant)


def _resolve_target(document: Document) -> Target:
    content = _select_fields(document)
    content["profile"] = load_profile(content.get("profile", DEFAULT_PROFILE))
    if "auth" in content:
        content["auth"] = rebase_paths(content["auth"], document)
    return msgspec.convert(content, Target)


def _resolve_forest(document: Document) -> Forest:
    sources: Content = {}
    for each in document.content["domains"]:
        source = rebase_paths(each["source"], document)
        if "activeDirectory" in source:
            source["activeDirectory"] = {"tls": {}, **source["activeDirectory"]}
        sources[each["name"].lower()] = source
    domains = [{"name": each, "source": sources[each]} for each in sorted(sources)]
    return msgspec.convert({"name": document.name, "domains": domains}, Forest)


def _resolve_agent(document: Document) -> Agent:
    content = _select_fields(document)
    content["domains"] = sorted({each.lower() for each in content["domains"]})
    return msgspec.convert(content, Agent)


def _resolve_mappings(tree: DocumentTree) -> tuple[Mapping, ...]:
    """Return the mappings of the tree, and the built-in ones that its jobs use."""
    names = {each.name for each in tree.documents_of("Mapping")}
    names.update(*(job.content["mappings"] for job in tree.documents_of("Job")))
    found = filter(None, map(tree.find_mapping, sorted(names)))
    return tuple(resolve_mapping(tree, each) for each in found)


def _resolve_job(tree: DocumentTree, document: Document) -> Job:
    content = {"interval": DEFAULT_INTERVAL, **_select_fields(document)}
    content["target"] = tree.find_target_name(document)
    content["domain"] = content["domain"].lower()
    content["interval"] = parse_duration(content["interval"])
    content["mappings"] = sorted(content["mappings"])
    content["notify"] = _sort_names(content.get("notify", []))
    written = content.get("guard", {})
    # `Budget` has the defaults of what is not written.
    content["guard"] = {each: dict(written.get(each, {})) for each in GUARDED_EFFECTS}
    for budget in content["guard"].values():
        if "window" in budget:
            budget["window"] = parse_duration(budget["window"])
    return msgspec.convert(content, Job)


def resolve_registration(tree: DocumentTree) -> Registration:
    """Return the registration of a tree, without its programs."""
    return Registration(
        tenant=_resolve_tenant(tree.documents_of("Tenant")[0]),
        targets=tuple(_resolve_target(each) for each in tree.documents_of("Target")),
        forests=tuple(_resolve_forest(each) for each in tree.documents_of("Forest")),
        agents=tuple(_resolve_agent(each) for each in tree.documents_of("Agent")),
        scopes=tuple(resolve_scope(each) for each in tree.documents_of("Scope")),
        mappings=_resolve_mappings(tree),
        jobs=tuple(_resolve_job(tree, each) for each in tree.documents_of("Job")),
    )


@cache
def load_profile(name: str) -> Profile:
    path = find_shipped("mappings") / "profiles" / f"{name}.yaml"
    fields = YAML(typ="safe", pure=True).load(path)
    return msgspec.convert({"name": name, **(fields or {})}, Profile)


def rebase_paths(value: Any, document: Document, *, key: str = "") -> Any:
    """Return a value in which file paths are relative to the tree."""
    match value:
        case dict():
            return {
                name: rebase_paths(each, document, key=name)
                for name, each in value.items()
            }
        case str() if key in FILE_KEYS:
            folder = posixpath.dirname(document.file)
            return posixpath.normpath(posixpath.join(folder, value))
    return value


def resolve_scope(document: Document) -> Scope:
    content = _select_fields(document)
    for key in ("organizationalUnits", "except", "groups"):
        if isinstance(content.get(key), list):
            content[key] = _sort_names(content[key])
    return msgspec.convert(content, Scope)


def resolve_mapping(tree: DocumentTree, document: Document) -> Mapping:
    content = tree.merge_inherited(document) or {}
    content.pop("kind")
    content.pop("extends", None)
    default = "disable" if content["targetObjectName"] == "User" else "delete"
    defaults = {"outOfScope": default, "deleted": default}
    content["deprovision"] = defaults | content["deprovision"]
    entries = content["attributeMappings"]
    for target in SENSITIVE_TARGETS & entries.keys():
        entries[target] = {**entries[target], "sensitive": True}
    return msgspec.convert(content, Mapping)


def find_extensions(tree: DocumentTree, mapping: str) -> Extensions:
    """Return the extensions of the target of the first job with this mapping."""
    targets = {each.name: each.content for each in tree.documents_of("Target")}
    for job in tree.documents_of("Job"):
        if mapping in job.content["mappings"]:
            target = targets[tree.find_target_name(job) or ""]
            return msgspec.convert(target.get("extensions", {}), Extensions)
    return {}
