"""What a scope and a mapping make of one object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.examples.subject import Subject
from cloudforest.model.program import AttributeProgram, ScopeProgram
from cloudforest.program.attribute import changes, compile_program
from cloudforest.program.expressions.facts import NOW, impure_functions, uses
from cloudforest.program.faults import MappingFault, ObjectIgnored
from cloudforest.program.scoping.scope import Scope


def kept_out(scope: ScopeProgram, subject: Subject) -> tuple[str, ...]:
    """Return what keeps an object out, the broadest first; nothing: it is in scope.

    For example `filters.user`, then `filters.user clause 2: department eq "Sales"`.
    """
    compiled = Scope(scope, subject.resolved(scope))
    entry = subject.entry()
    first = compiled.clause(entry)
    if first is None:
        return ()
    parts = compiled.clauses(entry)
    within = [each.text for each in parts if each.text.startswith(f"{first} clause ")]
    broken = {each.text for each in parts if not each.holds}
    return (first, *(each for each in within if each in broken))


def is_ignored(program: AttributeProgram, subject: Subject) -> bool:
    """Tell whether the mapping leaves the whole object alone (IgnoreObjectFlow)."""
    try:
        resource_of(program, subject)
    except ObjectIgnored:
        return True
    except MappingFault:
        return False
    return False


def drawn(program: AttributeProgram) -> frozenset[str]:
    """Return the paths whose value is another one each time, at any moment."""
    return frozenset(
        rule.target
        for rule in program.rules
        if set(impure_functions(rule.expression)) - {NOW}
    )


def tells_time(program: AttributeProgram) -> bool:
    return any(uses(rule.expression, NOW) for rule in program.rules)


def resource_of(program: AttributeProgram, subject: Subject) -> dict[str, Any]:
    """Return what a creation would write, by SCIM path.

    References are as the object has them: distinguished names. Of the values that are
    to be unique, it is the first; what is drawn anew each time is left out. Raises
    MappingFault and ObjectIgnored.
    """
    desired = compile_program(program, subject.setting)(subject.row())
    chosen = {path: some[0] for path, some in desired.candidates.items()}
    wanted = desired.values | chosen
    left_out = desired.ignored | drawn(program)
    rules = [each for each in program.rules if each.target not in left_out]
    written = changes({}, wanted, rules, creating=True)
    values = {each.path: each.after for each in written}
    return values | dict(_references(program, subject, desired.references))


def _references(
    program: AttributeProgram,
    subject: Subject,
    references: dict[str, tuple[str, ...]],
) -> Iterator[tuple[str, Any]]:
    written = {
        value.lower(): value
        for values in subject.attributes.values()
        for value in values
    }
    several = {rule.target for rule in program.rules if rule.multi}
    for path, names in references.items():
        named = [written.get(each, each) for each in names]
        if named:
            yield path, named if path in several else named[0]
