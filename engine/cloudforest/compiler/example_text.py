"""Write an example document from a real object that `explain` shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudforest.base.values import yaml_block, yaml_scalar
from cloudforest.compiler.examples import (
    ExampleObject,
    find_failing_clauses,
    map_example,
    uses_now,
)
from cloudforest.model.program import AttributeProgram, ScopeProgram, Template
from cloudforest.program.digest import CONSISTENCY_GUID
from cloudforest.program.expressions.analysis import find_expression_attributes
from cloudforest.program.expressions.function import EvaluationContext
from cloudforest.program.scoping.predicates import find_filter_attributes

COMMON_ATTRIBUTES = ("dn", "objectGUID", "mS-DS-ConsistencyGuid")
"""Attributes that every object has, even where no program reads them."""
_BARE_NAME = r"(?<![\w.;-])(%s)(?![\w.;-])"
_BRACKETED_NAME = r"\[\s*(%s)\s*\]"
DN_KEY = "dn"
MEMBER_ATTRIBUTE = "member"
COMPUTED_ANCHOR = "sourceanchor"
"""Mappings read it; an example holds the attribute that it comes from."""
HEAD_COMMENT = (
    "# `cloudforest example add` wrote this from a real object. Before you share it,\n"
    "# replace what identifies a person. `cloudforest validate` runs it.\n"
)


@dataclass(frozen=True)
class ShownObject:
    """What `explain` shows of an object; `imported` is the detail of its import step.

    `redacted` is the mark that stands for a sensitive value. `shown_at` has a precision
    of seconds.
    """

    object_guid: str
    imported: Mapping[str, Any]
    redacted: str
    shown_at: datetime


def find_spellings(mapping: AttributeProgram, scope: ScopeProgram) -> Mapping[str, str]:
    """Return the attributes that a mapping and a scope read, by name in lower case.

    Programs hold lower case only, so the spelling comes from their texts.
    """
    known = {each.lower(): each for each in COMMON_ATTRIBUTES}
    reads = [
        (
            find_expression_attributes(rule.expression),
            _BARE_NAME if isinstance(rule.expression, Template) else _BRACKETED_NAME,
            rule.text,
        )
        for rule in mapping.rules
    ]
    if type_filter := scope.filters.get(mapping.source):
        names = find_filter_attributes(type_filter.tree)
        reads.append((names, _BARE_NAME, type_filter.text))
    for names, pattern, text in reads:
        for name in names:
            found = re.search(pattern % re.escape(name), text, re.IGNORECASE)
            known.setdefault(name, found[1] if found else name)
    return known


def _read_attributes(shown: ShownObject) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "objectguid", (shown.object_guid,)
    if shown.imported["anchor"] != shown.object_guid:
        yield CONSISTENCY_GUID, (shown.imported["anchor"],)
    for name, values in shown.imported["attributes"].items():
        if list(values) != [shown.redacted]:
            yield name.lower(), tuple(values)
    if "members" in shown.imported:
        yield MEMBER_ATTRIBUTE, tuple(shown.imported["members"]["first"])


def _choose_group(imported: Mapping[str, Any], scope: ScopeProgram) -> tuple[str, ...]:
    """Return one of the scope's groups, preferably one that the object is in."""
    if imported["type"] == "group":
        return ()
    known = {each.casefold() for each in imported["memberOf"]["first"]}
    named = [each for each in scope.groups if each.casefold() in known]
    return tuple((named or list(scope.groups))[:1])


def make_example_object(
    source: ShownObject,
    scope: ScopeProgram,
    replacements: Mapping[str, tuple[str, ...]],
) -> ExampleObject:
    """Return the object with replaced values; their names are in lower case.

    An empty replacement removes the attribute. Sensitive values are left out.
    """
    attributes = dict(_read_attributes(source))
    attributes |= {
        CONSISTENCY_GUID if name == COMPUTED_ANCHOR else name: replacements[name]
        for name in replacements
    }
    (dn,) = attributes.pop(DN_KEY, ()) or (source.imported["dn"],)
    return ExampleObject(
        context=EvaluationContext(now=source.shown_at),
        kind=source.imported["type"],
        dn=dn,
        groups=_choose_group(source.imported, scope),
        attributes={name: values for name, values in attributes.items() if values},
    )


def write_example(
    subject: ExampleObject,
    mapping: AttributeProgram,
    scope: ScopeProgram,
    *,
    name: str,
    scope_name: str,
) -> str:
    """Return the document as YAML; raises MappingFault.

    Attributes that only a filter reads do not leave the agent. Without them an object
    in scope may seem to be out: then `scope` is written as a comment.
    """
    failing_clauses = find_failing_clauses(scope, subject)
    head = {"kind": "Example", "name": name, "mapping": mapping.mapping}
    if not failing_clauses:
        head["scope"] = scope_name
    if subject.context.now is not None and uses_now(mapping):
        head["now"] = subject.context.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    spellings = find_spellings(mapping, scope)
    written: dict[str, Any] = {"dn": subject.dn}
    if subject.groups:
        written["groups"] = subject.groups
    written["attributes"] = {
        spellings.get(name, name): values[0] if len(values) == 1 else values
        for name, values in sorted(subject.attributes.items())
    }
    lines = (
        *yaml_block(head),
        *(
            f"# scope: {yaml_scalar(scope_name)}   # {clause}: agents do not send what "
            "a filter reads; add it below"
            for clause in failing_clauses[-1:]
        ),
        *yaml_block({"object": written, "resource": map_example(mapping, subject)}),
    )
    return HEAD_COMMENT + "".join(f"{line}\n" for line in lines)
