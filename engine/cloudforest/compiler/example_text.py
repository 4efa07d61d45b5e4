"""An example made of a real object: what `explain` shows of it, as a document.

The attributes that an example can be about, spelt as documents spell them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudforest.base.values import block, scalar
from cloudforest.compiler.examples import Subject, kept_out, resource_of, tells_time
from cloudforest.model.program import AttributeProgram, ScopeProgram, Template
from cloudforest.program.attributes_read import attributes_of, filter_attributes
from cloudforest.program.digest import ANCHOR
from cloudforest.program.expressions.evaluate import Setting

ALWAYS = ("dn", "objectGUID", "mS-DS-ConsistencyGuid")
"""What every object has; an example may name it whoever reads it."""


def spellings(mapping: AttributeProgram, scope: ScopeProgram) -> Mapping[str, str]:
    """Return what the two read of an object, keyed in lower case.

    Programs know lower case only; the texts that they were made of are kept with them.
    """
    known = {each.lower(): each for each in ALWAYS}
    for name, pattern, text in _reads(mapping, scope):
        found = re.search(pattern % re.escape(name), text, re.IGNORECASE)
        known.setdefault(name, found[1] if found else name)
    return known


_WORD = r"(?<![\w.;-])(%s)(?![\w.;-])"
_BRACKETS = r"\[\s*(%s)\s*\]"


def _reads(
    mapping: AttributeProgram, scope: ScopeProgram
) -> Iterator[tuple[str, str, str]]:
    """Yield each name, how it stands in a text, and the text."""
    for rule in mapping.rules:
        pattern = _WORD if isinstance(rule.expression, Template) else _BRACKETS
        for name in attributes_of(rule.expression):
            yield name, pattern, rule.text
    if mapping.source in scope.filters:
        only = scope.filters[mapping.source]
        for name in filter_attributes(only.tree):
            yield name, _WORD, only.text


DN = "dn"
MEMBER = "member"
COMPUTED = "sourceanchor"
"""What mappings read; in the example stands the attribute that it is made of."""
HEAD = (
    "# Made of a real object by `cloudforest example add`: look whether it may be\n"
    "# shared, and replace what identifies a person. `cloudforest validate` runs it.\n"
)


@dataclass(frozen=True)
class Shown:
    """What `explain` shows of an object: the detail of its import, and who it is.

    `redacted` is the mark that stands for a sensitive value. `at` is when it was shown,
    to the second.
    """

    guid: str
    imported: Mapping[str, Any]
    redacted: str
    at: datetime


def subject_shown(
    shown: Shown, scope: ScopeProgram, replaced: Mapping[str, tuple[str, ...]]
) -> Subject:
    """Return the object with some values replaced, by name in lower case.

    A name without values takes the attribute away. Sensitive values are left out.
    """
    held = dict(_attributes(shown))
    held |= {ANCHOR if name == COMPUTED else name: replaced[name] for name in replaced}
    (dn,) = held.pop(DN, ()) or (shown.imported["dn"],)
    return Subject(
        setting=Setting(now=shown.at),
        kind=shown.imported["type"],
        dn=dn,
        groups=_groups(shown.imported, scope),
        attributes={name: values for name, values in held.items() if values},
    )


def _attributes(shown: Shown) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "objectguid", (shown.guid,)
    if shown.imported["anchor"] != shown.guid:
        yield ANCHOR, (shown.imported["anchor"],)
    for name, values in shown.imported["attributes"].items():
        if list(values) != [shown.redacted]:
            yield name.lower(), tuple(values)
    if "members" in shown.imported:
        yield MEMBER, tuple(shown.imported["members"]["first"])


def _groups(imported: Mapping[str, Any], scope: ScopeProgram) -> tuple[str, ...]:
    """Return one of the scope's groups: who is in scope is in one of them."""
    if imported["type"] == "group":
        return ()
    known = {each.casefold() for each in imported["memberOf"]["first"]}
    named = [each for each in scope.groups if each.casefold() in known]
    return tuple((named or list(scope.groups))[:1])


@dataclass(frozen=True)
class Names:
    """What the example, and the scope that it may name, are called."""

    example: str
    scope: str


def example_text(
    subject: Subject, mapping: AttributeProgram, scope: ScopeProgram, names: Names
) -> str:
    """Return the document; raises MappingFault where the object can't be mapped.

    What a filter reads does not leave the agent, so an object in scope may not look
    like one: then the scope stands there as a comment.
    """
    out = kept_out(scope, subject)
    head = {"kind": "Example", "name": names.example, "mapping": mapping.mapping}
    if not out:
        head["scope"] = names.scope
    if subject.setting.now is not None and tells_time(mapping):
        head["now"] = subject.setting.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines: Iterable[str] = (
        *block(head),
        *(_unseen(names.scope, out[-1]) for _ in out[:1]),
        *block({"object": _object(subject, spellings(mapping, scope))}),
        *block({"resource": resource_of(mapping, subject)}),
    )
    return HEAD + "".join(f"{line}\n" for line in lines)


def _unseen(scope: str, clause: str) -> str:
    return (
        f"# scope: {scalar(scope)}   # {clause}: what a filter reads does not leave the"
        " agent; add it below"
    )


def _object(subject: Subject, spelt: Mapping[str, str]) -> dict[str, Any]:
    written: dict[str, Any] = {"dn": subject.dn}
    if subject.groups:
        written["groups"] = subject.groups
    attributes = {
        spelt.get(name, name): values[0] if len(values) == 1 else values
        for name, values in sorted(subject.attributes.items())
    }
    return written | {"attributes": attributes}
