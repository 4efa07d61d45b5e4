"""Examples are run: what they expect is what their scope and mapping do.

The directory object of an example, in the shapes that scopes and mappings take.

What a scope and a mapping make of one object.

The objects of examples are such as an agent may send.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Document, DocumentDiagnostic
from cloudforest.compiler.programs import make_attribute_program, make_scope_program
from cloudforest.compiler.resolve import find_extensions, resolve_mapping, resolve_scope
from cloudforest.compiler.tree import DocumentTree, canonical_target
from cloudforest.compiler.wording import find_closest, format_yaml_value
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import AttributeProgram, ObjectType, Scalar, ScopeProgram
from cloudforest.model.source import SourceObject
from cloudforest.program.digest import CONSISTENCY_GUID
from cloudforest.program.expressions.analysis import (
    NOW,
    find_impure_functions,
    uses_function,
)
from cloudforest.program.expressions.evaluate import NO_CONTEXT, EvaluationContext
from cloudforest.program.faults import MappingFault, ObjectIgnored, SyntaxFault
from cloudforest.program.forbidden import is_forbidden
from cloudforest.program.mapping.changes import compute_changes
from cloudforest.program.mapping.desired import compile_mapping
from cloudforest.program.scim.schema import list_writable_names
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.scope import CompiledScope, ResolvedScope

DEFAULT_CLASSES: Mapping[ObjectType, frozenset[str]] = {
    "user": frozenset({"top", "person", "organizationalperson", "user"}),
    "group": frozenset({"top", "group"}),
    "contact": frozenset({"top", "person", "organizationalperson", "contact"}),
}
"""What an object is that does not say its objectClass."""
GUID_ATTRIBUTE = "objectguid"
"""Its name, in lower case; also what the object is called where it says none."""


@dataclass(frozen=True)
class ExampleObject:
    """`attributes` are keyed in lower case; `groups` are those that it is in.

    `setting` is the moment at which it is mapped.
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
        """Return the row of an import; without objectGUID, there is no anchor."""
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
            classes=frozenset(map(str.lower, classes))
            if classes
            else _default_classes(self),
            parent=None,
            is_deleted=False,
            attributes=self.attributes,
        )

    def resolve_scope_groups(self, scope: ScopeProgram) -> ResolvedScope:
        """Resolve the scope's groups to themselves, and this object to a member."""
        own, guid = _parse_dn_or_text(self.dn), self.object_guid or GUID_ATTRIBUTE
        held = frozenset(map(_parse_dn_or_text, self.groups))
        groups = {
            guid if _parse_dn_or_text(each) == own else each: frozenset(
                {guid} if _parse_dn_or_text(each) in held else ()
            )
            for each in scope.groups
        }
        return ResolvedScope(groups=groups)


def _default_classes(subject: ExampleObject) -> frozenset[str]:
    return DEFAULT_CLASSES[subject.kind]


def _parse_dn_or_text(dn: str) -> tuple[str, ...]:
    try:
        return parse_dn(dn)
    except SyntaxFault:
        return (dn,)


def _to_directory_text(value: Scalar) -> str:
    """Booleans in a directory are the texts TRUE and FALSE."""
    return str(value).upper() if isinstance(value, bool) else str(value)


def read_example_object(
    content: Mapping[str, Any],
    kind: ObjectType,
    context: EvaluationContext = NO_CONTEXT,
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
                map(_to_directory_text, value if isinstance(value, list) else [value])
            )
            for name, value in written
        },
    )


def find_failing_clauses(
    scope: ScopeProgram, subject: ExampleObject
) -> tuple[str, ...]:
    """Return what keeps an object out, the broadest first; nothing: it is in scope.

    For example `filters.user`, then `filters.user clause 2: department eq "Sales"`.
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


def is_object_ignored(program: AttributeProgram, subject: ExampleObject) -> bool:
    """Tell whether the mapping leaves the whole object alone (IgnoreObjectFlow)."""
    try:
        map_example(program, subject)
    except ObjectIgnored:
        return True
    except MappingFault:
        return False
    return False


def find_random_targets(program: AttributeProgram) -> frozenset[str]:
    """Return the paths whose value is another one each time, at any moment."""
    return frozenset(
        rule.target
        for rule in program.rules
        if set(find_impure_functions(rule.expression)) - {NOW}
    )


def uses_now(program: AttributeProgram) -> bool:
    return any(uses_function(rule.expression, NOW) for rule in program.rules)


def map_example(program: AttributeProgram, subject: ExampleObject) -> dict[str, Any]:
    """Return what a creation would write, by SCIM path.

    References are as the object has them: distinguished names. Of the values that are
    to be unique, it is the first; what is drawn anew each time is left out. Raises
    MappingFault and ObjectIgnored.
    """
    desired = compile_mapping(program, subject.context)(subject.to_source_object())
    chosen = {path: some[0] for path, some in desired.candidates.items()}
    wanted = desired.values | chosen
    left_out = desired.ignored | find_random_targets(program)
    rules = [each for each in program.rules if each.target not in left_out]
    written = compute_changes({}, wanted, rules, creating=True)
    values = {each.path: each.after for each in written}
    return values | dict(_map_references(program, subject, desired.references))


def _map_references(
    program: AttributeProgram,
    subject: ExampleObject,
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


def check_examples(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Run every example; only for trees without errors."""
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
        setting = _make_context(example)
        if setting is None:
            message = (
                f'"{example.content["now"]}" is no day of the calendar; correct it.'
            )
            yield DocumentDiagnostic("wrong-format", message, example, ("now",))
            continue
        program = programs[example.content["mapping"]]
        subject = read_example_object(
            example.content["object"], program.source, setting
        )
        scope = scopes.get(example.content.get("scope", ""))
        out: tuple[str, ...] = ()
        if scope is not None:
            out = find_failing_clauses(
                make_scope_program(scope, (program.source,)), subject
            )
        if not out and is_object_ignored(program, subject):
            out = (ObjectIgnored.outcome,)
        yield from _check_example(example, program, subject, out)


def _make_context(example: Document) -> EvaluationContext | None:
    """Return the moment that an example is run at, if it says one; None: there is none.

    The schema knows how a moment is written, and not how long February is.
    """
    now = example.content.get("now")
    try:
        return EvaluationContext(now=datetime.fromisoformat(now)) if now else NO_CONTEXT
    except ValueError:
        return None


def _check_example(
    example: Document,
    program: AttributeProgram,
    subject: ExampleObject,
    failing_clauses: tuple[str, ...],
) -> Iterator[DocumentDiagnostic]:
    if "out" in example.content:
        yield from _check_expected_exclusion(example, failing_clauses)
    elif failing_clauses:
        message = (
            f"This object is left out ({failing_clauses[-1]}), and the example "
            "expects a resource; "
            "correct one of the two, or write `out:`."
        )
        yield DocumentDiagnostic(
            "example-scope", message, example, ("resource",), at_key=True
        )
    else:
        yield from _compare_resource(example, program, subject)


def _check_expected_exclusion(
    example: Document, failing_clauses: tuple[str, ...]
) -> Iterator[DocumentDiagnostic]:
    wanted = example.content["out"]
    if any(
        each == wanted or each.startswith(f"{wanted}: ") for each in failing_clauses
    ):
        return
    found = (
        f"leaves it out by {failing_clauses[-1]}" if failing_clauses else "takes it in"
    )
    message = (
        f'The example expects that "{wanted}" keeps this object out, and the scope '
        f'"{example.content["scope"]}" {found}; correct one of the two.'
    )
    yield DocumentDiagnostic("example-scope", message, example, ("out",))


def _compare_resource(
    example: Document, program: AttributeProgram, subject: ExampleObject
) -> Iterator[DocumentDiagnostic]:
    try:
        found = map_example(program, subject)
    except MappingFault as fault:
        message = f'The mapping "{program.mapping}" can\'t map this object: {fault}'
        yield DocumentDiagnostic("example-differs", message, example, ("mapping",))
        return
    except ObjectIgnored:
        message = (
            f'The mapping "{program.mapping}" leaves this object as it is'
            " (IgnoreObjectFlow), and the example expects a resource."
        )
        yield DocumentDiagnostic("example-differs", message, example, ("mapping",))
        return
    expected = {canonical_target(key): key for key in example.content["resource"]}
    for path in find_random_targets(program) & expected.keys():
        message = (
            f'"{expected[path]}" is drawn anew each time, so no example can say what it'
            " is; take it out."
        )
        where = ("resource", expected.pop(path))
        yield DocumentDiagnostic(
            "example-differs", message, example, where, at_key=True
        )
    hidden = {rule.target for rule in program.rules if rule.sensitive}
    unexpected = found.keys() - expected.keys()
    meant = {find_closest(path, unexpected) for path in expected if path not in found}
    for path, key in expected.items():
        for each in _compare_attribute(example, key, found.get(path), unexpected):
            yield _hide_values(each, key) if path in hidden else each
    for path in sorted(unexpected - meant):
        line = path if path in hidden else f"{path}: {format_yaml_value(found[path])}"
        message = (
            f"The mapping also writes `{line}`; "
            "add that to the resource, or correct the mapping."
        )
        yield DocumentDiagnostic(
            "example-differs", message, example, ("resource",), at_key=True
        )


def _hide_values(complaint: DocumentDiagnostic, key: str) -> DocumentDiagnostic:
    """Return it without the line that holds a sensitive value, and without the two."""
    message = complaint.message
    if not complaint.at_key:
        message = (
            f'The example expects another value in "{key}" than the mapping writes; '
            "the attribute is sensitive, so neither is shown."
        )
    return replace(complaint, message=message, is_line_hidden=True)


def _compare_attribute(
    example: Document, key: str, mapped: Any, unexpected: Collection[str]
) -> Iterator[DocumentDiagnostic]:
    expected = example.content["resource"][key]
    if _sort_if_list(expected) == _sort_if_list(mapped):
        return
    where = ("resource", key)
    if mapped is None:
        near = find_closest(canonical_target(key), unexpected)
        hint = f'did you mean "{near}"?' if near else _explain_missing_value(key)
        message = f'The mapping writes nothing to "{key}"; {hint}'
        yield DocumentDiagnostic(
            "example-differs", message, example, where, at_key=True
        )
    else:
        message = (
            f'The example expects {format_yaml_value(expected)} in "{key}", and '
            "the mapping "
            f"writes {format_yaml_value(mapped)}."
        )
        yield DocumentDiagnostic("example-differs", message, example, where)


def _explain_missing_value(key: str) -> str:
    name = canonical_target(key)
    near = (
        None
        if name in list_writable_names()
        else find_closest(name, list_writable_names())
    )
    return f'did you mean "{near}"?' if near else "the source has no value."


def _sort_if_list(value: Any) -> Any:
    return sorted(map(repr, value)) if isinstance(value, list) else value


def check_example_objects(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    for example in tree.documents_of("Example"):
        for path, dn in _find_dns(example):
            try:
                parse_dn(dn)
            except SyntaxFault as fault:
                yield DocumentDiagnostic(
                    "dn-syntax", str(fault), example, path, offset=fault.offset
                )
        for name in example.content["object"].get("attributes", {}):
            if is_forbidden(name):
                message = (
                    f'The attribute "{name}" holds secrets and is never read; take it '
                    "out, and change the secret if it is a real one."
                )
                where = ("object", "attributes", name)
                yield DocumentDiagnostic(
                    "forbidden-attribute",
                    message,
                    example,
                    where,
                    at_key=True,
                    is_line_hidden=True,
                )


def _find_dns(example: Document) -> Iterator[tuple[DocumentPath, str]]:
    content = example.content["object"]
    yield ("object", "dn"), content["dn"]
    for index, each in enumerate(content.get("groups", ())):
        yield ("object", "groups", index), each
