"""Run examples: compare what they expect with what their scope and mapping do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from cloudforest.base.wording import find_closest, suggest
from cloudforest.compiler.document import Content, Document, Mistakes
from cloudforest.compiler.programs import make_attribute_program, make_scope_program
from cloudforest.compiler.resolve import find_extensions, resolve_mapping, resolve_scope
from cloudforest.compiler.tree import DocumentTree, canonical_target
from cloudforest.compiler.wording import format_yaml_value
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import AttributeProgram, ObjectType, ScopeProgram
from cloudforest.model.source import SourceObject
from cloudforest.program.digest import CONSISTENCY_GUID
from cloudforest.program.expressions.analysis import (
    NOW,
    find_impure_functions,
    uses_function,
)
from cloudforest.program.expressions.function import NO_CONTEXT, EvaluationContext
from cloudforest.program.faults import MappingFault, ObjectIgnored
from cloudforest.program.mapping.changes import compute_changes
from cloudforest.program.mapping.desired import compile_mapping
from cloudforest.program.scim.schema import list_writable_names
from cloudforest.program.scoping.dn import parse_dn_or_none
from cloudforest.program.scoping.scope import CompiledScope, ResolvedScope

DEFAULT_CLASSES: Mapping[ObjectType, frozenset[str]] = {
    "user": frozenset({"top", "person", "organizationalperson", "user"}),
    "group": frozenset({"top", "group"}),
    "contact": frozenset({"top", "person", "organizationalperson", "contact"}),
}
"""The classes of an example object without `objectClass`."""
GUID_ATTRIBUTE = "objectguid"
"""The attribute in lower case; also the objectGUID of an object without one."""


def _parse_dn_or_text(dn: str) -> tuple[str, ...]:
    return parse_dn_or_none(dn) or (dn,)


@dataclass(frozen=True)
class ExampleObject:
    """The directory object of an example.

    `attributes` have keys in lower case. `groups` are the DNs of its groups. `context`
    holds the time of the mapping.
    """

    kind: ObjectType
    dn: str
    attributes: Mapping[str, tuple[str, ...]]
    groups: tuple[str, ...] = ()
    context: EvaluationContext = NO_CONTEXT

    @property
    def object_guid(self) -> str:
        return (self.attributes.get(GUID_ATTRIBUTE) or ("",))[0]

    def to_source_object(self) -> SourceObject:
        """Return the object as imported; without objectGUID its anchor is empty."""
        anchor = self.attributes.get(CONSISTENCY_GUID) or (self.object_guid,)
        return SourceObject(
            object_guid=self.object_guid,
            type=self.kind,
            dn=self.dn,
            parent=None,
            source_anchor=anchor[0],
            attributes=dict(self.attributes),
        )

    def to_directory_entry(self) -> Entry:
        classes = self.attributes.get("objectclass")
        return Entry(
            object_guid=self.object_guid or GUID_ATTRIBUTE,
            dn=self.dn,
            type=self.kind,
            classes=frozenset(map(str.lower, classes or DEFAULT_CLASSES[self.kind])),
            parent=None,
            is_deleted=False,
            attributes=self.attributes,
        )

    def resolve_scope_groups(self, scope: ScopeProgram) -> ResolvedScope:
        """Resolve the scope's groups, with this object as a member where it is one."""
        own, guid = _parse_dn_or_text(self.dn), self.object_guid or GUID_ATTRIBUTE
        joined = frozenset(map(_parse_dn_or_text, self.groups))
        groups = {
            guid if _parse_dn_or_text(each) == own else each: frozenset(
                {guid} if _parse_dn_or_text(each) in joined else ()
            )
            for each in scope.groups
        }
        return ResolvedScope(groups=groups)


def _read_object(
    content: Content, kind: ObjectType, context: EvaluationContext
) -> ExampleObject:
    """Read the `object:` of an example."""
    written = content.get("attributes", {}).items()
    return ExampleObject(
        kind=kind,
        dn=content["dn"],
        groups=tuple(content.get("groups", ())),
        context=context,
        attributes={
            name.lower(): tuple(
                # Booleans in a directory are TRUE and FALSE.
                str(each).upper() if isinstance(each, bool) else str(each)
                for each in (value if isinstance(value, list) else [value])
            )
            for name, value in written
        },
    )


def find_failing_clauses(
    scope: ScopeProgram, subject: ExampleObject
) -> tuple[str, ...]:
    """Return the clauses that exclude an object, the broadest first.

    For example `filters.user`, then `filters.user clause 2: department eq "Sales"`.
    Empty for an object in scope.
    """
    compiled = CompiledScope(scope, subject.resolve_scope_groups(scope))
    entry = subject.to_directory_entry()
    first = compiled.find_failing_clause(entry)
    if first is None:
        return ()
    parts = compiled.evaluate_clauses(entry)
    within = [each.text for each in parts if each.text.startswith(f"{first} clause ")]
    broken = {each.text for each in parts if not each.holds}
    return (first, *(each for each in within if each in broken))


def find_random_targets(program: AttributeProgram) -> frozenset[str]:
    """Return the paths whose value differs each time, even at the same moment."""
    return frozenset(
        rule.target
        for rule in program.rules
        if set(find_impure_functions(rule.expression)) - {NOW}
    )


def uses_now(program: AttributeProgram) -> bool:
    return any(uses_function(rule.expression, NOW) for rule in program.rules)


def map_example(program: AttributeProgram, subject: ExampleObject) -> dict[str, Any]:
    """Return what a creation would write, by SCIM path.

    References are distinguished names, as in the object. Of unique values, the first
    candidate is taken. Random values are left out. Raises MappingFault, ObjectIgnored.
    """
    desired = compile_mapping(program, subject.context)(subject.to_source_object())
    chosen = {path: some[0] for path, some in desired.candidates.items()}
    omitted = desired.ignored | find_random_targets(program)
    rules = [each for each in program.rules if each.target not in omitted]
    changes = compute_changes({}, desired.values | chosen, rules, creating=True)
    values = {each.path: each.after for each in changes}
    spellings = {each.lower(): each for each in chain(*subject.attributes.values())}
    several = {rule.target for rule in program.rules if rule.multi}
    for path, dns in desired.references.items():
        if spelt := [spellings.get(each, each) for each in dns]:
            values[path] = spelt if path in several else spelt[0]
    return values


def _check_expected_exclusion(
    example: Document, failing_clauses: tuple[str, ...]
) -> Mistakes:
    expected = example.content["out"]
    if any(
        each == expected or each.startswith(f"{expected}: ") for each in failing_clauses
    ):
        return
    found = "includes it"
    if failing_clauses:
        found = f"excludes it by {failing_clauses[-1]}"
    message = (
        f'The example expects that "{expected}" excludes this object, but the scope '
        f'"{example.content["scope"]}" {found}. Correct one of the two.'
    )
    yield example.error("example-scope", message, "out")


def _sort_if_list(value: Any) -> Any:
    return sorted(map(repr, value)) if isinstance(value, list) else value


def _compare_attribute(
    example: Document, key: str, mapped: Any, unexpected: Collection[str], *, hide: bool
) -> Mistakes:
    """Compare one attribute; `hide` the values of a sensitive one, and their line."""
    expected = example.content["resource"][key]
    if _sort_if_list(expected) == _sort_if_list(mapped):
        return
    at_key = mapped is None
    if mapped is None:
        name, known = canonical_target(key), list_writable_names()
        hint = "Its source has no value."
        if name not in known:
            hint = suggest(name, known, hint)
        hint = suggest(name, unexpected, hint)
        message = f'The mapping writes nothing to "{key}". {hint}'
    elif hide:
        message = (
            f'The example and the mapping have different values for "{key}". The '
            "attribute is sensitive, so neither is shown. Correct one of the two."
        )
    else:
        message = (
            f'The example expects {format_yaml_value(expected)} in "{key}", but the '
            f"mapping writes {format_yaml_value(mapped)}. Correct one of the two."
        )
    where = ("resource", key)
    yield example.error(
        "example-differs", message, *where, at_key=at_key, is_line_hidden=hide
    )


def _compare_resource(
    example: Document, program: AttributeProgram, mapped: dict[str, Any]
) -> Mistakes:
    expected = {canonical_target(key): key for key in example.content["resource"]}
    for path in find_random_targets(program) & expected.keys():
        message = (
            f'"{expected[path]}" has a new random value each time, so an example '
            "cannot expect one. Remove it."
        )
        yield example.error(
            "example-differs", message, "resource", expected.pop(path), at_key=True
        )
    hidden = {rule.target for rule in program.rules if rule.sensitive}
    unexpected = mapped.keys() - expected.keys()
    intended = {find_closest(path, unexpected) for path in expected.keys() - mapped}
    for path, key in expected.items():
        yield from _compare_attribute(
            example, key, mapped.get(path), unexpected, hide=path in hidden
        )
    for path in sorted(unexpected - intended):
        line = path if path in hidden else f"{path}: {format_yaml_value(mapped[path])}"
        message = (
            f"The mapping also writes `{line}`. Add it to `resource`, or correct the "
            "mapping."
        )
        yield example.error("example-differs", message, "resource", at_key=True)


def _check_example(
    example: Document,
    program: AttributeProgram,
    subject: ExampleObject,
    failing_clauses: tuple[str, ...],
) -> Mistakes:
    resource: dict[str, Any] = {}
    fault: MappingFault | None = None
    if not failing_clauses:
        try:
            resource = map_example(program, subject)
        except MappingFault as error:
            fault = error
        except ObjectIgnored:
            failing_clauses = (ObjectIgnored.outcome,)
    if "out" in example.content:
        yield from _check_expected_exclusion(example, failing_clauses)
    elif failing_clauses:
        message = (
            f"This object is left out ({failing_clauses[-1]}), but the example expects "
            "a resource. Correct one of the two, or write `out:`."
        )
        yield example.error("example-scope", message, "resource", at_key=True)
    elif fault is not None:
        message = f'The mapping "{program.mapping}" cannot map this object: {fault}'
        yield example.error("example-differs", message, "mapping")
    else:
        yield from _compare_resource(example, program, resource)


def check_examples(tree: DocumentTree) -> Mistakes:
    """Run every example of a tree without errors."""
    tenant = next(iter(tree.documents_of("Tenant")), None)
    domain = tenant.content.get("defaultDomain", "") if tenant else ""
    programs = {
        name: make_attribute_program(
            resolve_mapping(tree, mapping), find_extensions(tree, name), domain
        )
        for name in {each.content["mapping"] for each in tree.documents_of("Example")}
        if (mapping := tree.find_mapping(name)) is not None
    }
    scopes = {each.name: resolve_scope(each) for each in tree.documents_of("Scope")}
    for example in tree.documents_of("Example"):
        now = example.content.get("now")
        try:
            time = datetime.fromisoformat(now) if now else None
        except ValueError:  # the schema does not check the length of a month
            message = f'"{now}" is not a valid date. Correct it.'
            yield example.error("wrong-format", message, "now")
            continue
        program = programs[example.content["mapping"]]
        subject = _read_object(
            example.content["object"], program.source, EvaluationContext(now=time)
        )
        failing_clauses: tuple[str, ...] = ()
        if (scope := scopes.get(example.content.get("scope", ""))) is not None:
            scope_program = make_scope_program(scope, (program.source,))
            failing_clauses = find_failing_clauses(scope_program, subject)
        yield from _check_example(example, program, subject, failing_clauses)
