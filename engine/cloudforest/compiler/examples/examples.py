"""Examples are run: what they expect is what their scope and mapping do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.examples.outcome import (
    drawn,
    is_ignored,
    kept_out,
    resource_of,
)
from cloudforest.compiler.examples.subject import Subject, subject_of
from cloudforest.compiler.programs import attribute_program, scope_program
from cloudforest.compiler.resolve import extensions_of, mapping_noun, scope_noun
from cloudforest.compiler.schema.wording import written
from cloudforest.compiler.sugar import canonical
from cloudforest.compiler.suggest import closest
from cloudforest.compiler.tree import Tree
from cloudforest.model.program import AttributeProgram
from cloudforest.program.expressions.evaluate import NOWHERE, Setting
from cloudforest.program.faults import MappingFault, ObjectIgnored
from cloudforest.program.resource.scim import writable_names


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
    if _comparable(expected) == _comparable(found):
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


def _comparable(value: Any) -> Any:
    return sorted(map(repr, value)) if isinstance(value, list) else value
