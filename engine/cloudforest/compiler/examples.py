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
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.programs import attribute_program, scope_program
from cloudforest.compiler.resolve import extensions_of, mapping_noun, scope_noun
from cloudforest.compiler.tree import Tree, canonical
from cloudforest.compiler.wording import closest, written
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import AttributeProgram, ObjectType, Scalar, ScopeProgram
from cloudforest.model.source import SourceRow
from cloudforest.program.digest import ANCHOR
from cloudforest.program.expressions.analysis import NOW, impure_functions, uses
from cloudforest.program.expressions.evaluate import NOWHERE, Setting
from cloudforest.program.faults import MappingFault, ObjectIgnored, SyntaxFault
from cloudforest.program.forbidden import is_forbidden
from cloudforest.program.mapping.changes import changes
from cloudforest.program.mapping.desired import compile_program
from cloudforest.program.scim.schema import writable_names
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.scope import ResolvedScope, Scope

CLASSES: Mapping[ObjectType, frozenset[str]] = {
    "user": frozenset({"top", "person", "organizationalperson", "user"}),
    "group": frozenset({"top", "group"}),
    "contact": frozenset({"top", "person", "organizationalperson", "contact"}),
}
"""What an object is that does not say its objectClass."""
GUID = "objectguid"
"""Its name, in lower case; also what the object is called where it says none."""


@dataclass(frozen=True)
class Subject:
    """`attributes` are keyed in lower case; `groups` are those that it is in.

    `setting` is the moment at which it is mapped.
    """

    kind: ObjectType
    dn: str
    attributes: Mapping[str, tuple[str, ...]]
    groups: tuple[str, ...] = ()
    setting: Setting = NOWHERE

    @property
    def guid(self) -> str:
        return (self.attributes.get(GUID) or ("",))[0]

    def row(self) -> SourceRow:
        """Return the row of an import; without objectGUID, there is no anchor."""
        anchor = self.attributes.get(ANCHOR) or (self.guid,)
        return SourceRow(
            id=self.guid,
            type=self.kind,
            dn=self.dn,
            parent=None,
            anchor=anchor[0],
            attributes=dict(self.attributes),
        )

    def entry(self) -> Entry:
        classes = self.attributes.get("objectclass")
        return Entry(
            guid=self.guid or GUID,
            dn=self.dn,
            type=self.kind,
            classes=frozenset(map(str.lower, classes)) if classes else _classes(self),
            parent=None,
            deleted=False,
            attributes=self.attributes,
        )

    def resolved(self, scope: ScopeProgram) -> ResolvedScope:
        """Resolve the scope's groups to themselves, and this object to a member."""
        own, guid = _comparable_dn(self.dn), self.guid or GUID
        held = frozenset(map(_comparable_dn, self.groups))
        groups = {
            guid if _comparable_dn(each) == own else each: frozenset(
                {guid} if _comparable_dn(each) in held else ()
            )
            for each in scope.groups
        }
        return ResolvedScope(groups=groups)


def _classes(subject: Subject) -> frozenset[str]:
    return CLASSES[subject.kind]


def _comparable_dn(dn: str) -> tuple[str, ...]:
    try:
        return parse_dn(dn)
    except SyntaxFault:
        return (dn,)


def _text(value: Scalar) -> str:
    """Booleans in a directory are the texts TRUE and FALSE."""
    return str(value).upper() if isinstance(value, bool) else str(value)


def subject_of(
    content: Mapping[str, Any], kind: ObjectType, setting: Setting = NOWHERE
) -> Subject:
    """Read the `object:` of an example."""
    written = content.get("attributes", {}).items()
    return Subject(
        kind=kind,
        dn=content["dn"],
        groups=tuple(content.get("groups", ())),
        setting=setting,
        attributes={
            name.lower(): tuple(
                map(_text, value if isinstance(value, list) else [value])
            )
            for name, value in written
        },
    )


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


def examples_hold(tree: Tree) -> Iterator[Complaint]:
    """Run every example; only for trees without errors."""
    tenant = next(iter(tree.of("Tenant")), None)
    domain = tenant.content.get("defaultDomain", "") if tenant else ""
    programs = {
        name: attribute_program(
            mapping_noun(tree, mapping), extensions_of(tree, name), domain
        )
        for name in {each.content["mapping"] for each in tree.of("Example")}
        if (mapping := tree.mapping(name)) is not None
    }
    scopes = {each.name: scope_noun(each) for each in tree.of("Scope")}
    for example in tree.of("Example"):
        setting = _moment(example)
        if setting is None:
            message = (
                f'"{example.content["now"]}" is no day of the calendar; correct it.'
            )
            yield Complaint("wrong-format", message, example, ("now",))
            continue
        program = programs[example.content["mapping"]]
        subject = subject_of(example.content["object"], program.source, setting)
        scope = scopes.get(example.content.get("scope", ""))
        out: tuple[str, ...] = ()
        if scope is not None:
            out = kept_out(scope_program(scope, (program.source,)), subject)
        if not out and is_ignored(program, subject):
            out = (ObjectIgnored.outcome,)
        yield from _judged(example, program, subject, out)


def _moment(example: Document) -> Setting | None:
    """Return the moment that an example is run at, if it says one; None: there is none.

    The schema knows how a moment is written, and not how long February is.
    """
    now = example.content.get("now")
    try:
        return Setting(now=datetime.fromisoformat(now)) if now else NOWHERE
    except ValueError:
        return None


def _judged(
    example: Document,
    program: AttributeProgram,
    subject: Subject,
    out: tuple[str, ...],
) -> Iterator[Complaint]:
    if "out" in example.content:
        yield from _left_out(example, out)
    elif out:
        message = (
            f"This object is left out ({out[-1]}), and the example expects a resource; "
            "correct one of the two, or write `out:`."
        )
        yield Complaint("example-scope", message, example, ("resource",), at_key=True)
    else:
        yield from _compared(example, program, subject)


def _left_out(example: Document, out: tuple[str, ...]) -> Iterator[Complaint]:
    wanted = example.content["out"]
    if any(each == wanted or each.startswith(f"{wanted}: ") for each in out):
        return
    found = f"leaves it out by {out[-1]}" if out else "takes it in"
    message = (
        f'The example expects that "{wanted}" keeps this object out, and the scope '
        f'"{example.content["scope"]}" {found}; correct one of the two.'
    )
    yield Complaint("example-scope", message, example, ("out",))


def _compared(
    example: Document, program: AttributeProgram, subject: Subject
) -> Iterator[Complaint]:
    try:
        found = resource_of(program, subject)
    except MappingFault as fault:
        message = f'The mapping "{program.mapping}" can\'t map this object: {fault}'
        yield Complaint("example-differs", message, example, ("mapping",))
        return
    except ObjectIgnored:
        message = (
            f'The mapping "{program.mapping}" leaves this object as it is'
            " (IgnoreObjectFlow), and the example expects a resource."
        )
        yield Complaint("example-differs", message, example, ("mapping",))
        return
    expected = {canonical(key): key for key in example.content["resource"]}
    for path in drawn(program) & expected.keys():
        message = (
            f'"{expected[path]}" is drawn anew each time, so no example can say what it'
            " is; take it out."
        )
        where = ("resource", expected.pop(path))
        yield Complaint("example-differs", message, example, where, at_key=True)
    hidden = {rule.target for rule in program.rules if rule.sensitive}
    unexpected = found.keys() - expected.keys()
    meant = {closest(path, unexpected) for path in expected if path not in found}
    for path, key in expected.items():
        for each in _line(example, key, found.get(path), unexpected):
            yield _without_values(each, key) if path in hidden else each
    for path in sorted(unexpected - meant):
        line = path if path in hidden else f"{path}: {written(found[path])}"
        message = (
            f"The mapping also writes `{line}`; "
            "add that to the resource, or correct the mapping."
        )
        yield Complaint("example-differs", message, example, ("resource",), at_key=True)


def _without_values(complaint: Complaint, key: str) -> Complaint:
    """Return it without the line that holds a sensitive value, and without the two."""
    message = complaint.message
    if not complaint.at_key:
        message = (
            f'The example expects another value in "{key}" than the mapping writes; '
            "the attribute is sensitive, so neither is shown."
        )
    return replace(complaint, message=message, hidden=True)


def _line(
    example: Document, key: str, found: Any, unexpected: Collection[str]
) -> Iterator[Complaint]:
    expected = example.content["resource"][key]
    if _without_order(expected) == _without_order(found):
        return
    where = ("resource", key)
    if found is None:
        near = closest(canonical(key), unexpected)
        hint = f'did you mean "{near}"?' if near else _why_nothing(key)
        message = f'The mapping writes nothing to "{key}"; {hint}'
        yield Complaint("example-differs", message, example, where, at_key=True)
    else:
        message = (
            f'The example expects {written(expected)} in "{key}", and the mapping '
            f"writes {written(found)}."
        )
        yield Complaint("example-differs", message, example, where)


def _why_nothing(key: str) -> str:
    name = canonical(key)
    near = None if name in writable_names() else closest(name, writable_names())
    return f'did you mean "{near}"?' if near else "the source has no value."


def _without_order(value: Any) -> Any:
    return sorted(map(repr, value)) if isinstance(value, list) else value


def objects_can_be_read(tree: Tree) -> Iterator[Complaint]:
    for example in tree.of("Example"):
        for path, dn in _names(example):
            try:
                parse_dn(dn)
            except SyntaxFault as fault:
                yield Complaint(
                    "dn-syntax", str(fault), example, path, offset=fault.offset
                )
        for name in example.content["object"].get("attributes", {}):
            if is_forbidden(name):
                message = (
                    f'The attribute "{name}" holds secrets and is never read; take it '
                    "out, and change the secret if it is a real one."
                )
                where = ("object", "attributes", name)
                yield Complaint(
                    "forbidden-attribute",
                    message,
                    example,
                    where,
                    at_key=True,
                    hidden=True,
                )


def _names(example: Document) -> Iterator[tuple[DocumentPath, str]]:
    content = example.content["object"]
    yield ("object", "dn"), content["dn"]
    for index, each in enumerate(content.get("groups", ())):
        yield ("object", "groups", index), each
