"""The attributes that an example can be about, spelt as documents spell them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cloudforest.model.program import AttributeProgram, ScopeProgram, Template
from cloudforest.program.expressions.reads import attributes_of, filter_attributes

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
