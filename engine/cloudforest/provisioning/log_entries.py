"""Entries of the provisioning log, without sensitive values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from cloudforest.model.cycles import LogEntry, LoggedMembers
from cloudforest.model.effects import Change, Effect, Outcome
from cloudforest.model.program import JobProgram, ObjectType
from cloudforest.model.source import Link
from cloudforest.provisioning.run import CycleContext

REDACTED = "[redacted]"
"""Replaces every sensitive value; a digest would allow guessing."""
LEAVER_REASONS = {
    "out": "out-of-scope: the object left the scope.",
    "gone": "deleted: the object was deleted in the directory.",
}
"""Why an object loses access, by presence."""
MAX_TEXT_LENGTH = 1000
MAX_ITEMS = 100


def list_sensitive_paths(program: JobProgram, kind: ObjectType) -> frozenset[str]:
    return frozenset(
        rule.target
        for mapping in program.mappings
        if mapping.source == kind
        for rule in mapping.rules
        if rule.sensitive
    )


def _shorten(value: Any) -> Any:
    """Return a value as the log keeps it, with long texts and lists cut."""
    match value:
        case str() if len(value) > MAX_TEXT_LENGTH:
            return f"{value[:MAX_TEXT_LENGTH]}… ({len(value)} characters)"
        case list():
            cut = [f"… ({len(value)} values)"] if len(value) > MAX_ITEMS else []
            return [*map(_shorten, value[:MAX_ITEMS]), *cut]
        case _:
            return value


def redact_changes(
    changes: Iterable[Change], sensitive: frozenset[str]
) -> Iterator[Change]:
    """Yield the changes with the mark in place of sensitive values, except None."""
    for each in changes:
        before, after = each.before, each.after
        if each.path in sensitive:
            before = None if before is None else REDACTED
            after = None if after is None else REDACTED
        else:
            before, after = _shorten(before), _shorten(after)
        if before is each.before and after is each.after:
            yield each
        else:
            yield replace(each, before=before, after=after)


def _reference_changes(outcome: Outcome) -> Iterator[Change]:
    """Yield changed references as resource ids; unwritten ones have the objectGUID."""
    written = outcome.link.last_written if outcome.link else None
    for each in outcome.effect.references:
        source_id = {"objectGUID": each.to} if each.to else None
        after = source_id if written is None else written.get(each.path)
        if after != each.before:
            yield Change(path=each.path, before=each.before, after=after)


def list_sent_changes(effect: Effect) -> list[Change]:
    return [each for each in effect.changes if each.is_sent]


def _logged_members(outcome: Outcome) -> LoggedMembers | None:
    """Return the members that were written, or else those that failed."""
    effect = outcome.effect
    if effect.action != "members":
        return None
    add, remove = outcome.added or effect.add, outcome.removed or effect.remove
    return LoggedMembers(
        added=len(add),
        removed=len(remove),
        add=add[:MAX_ITEMS],
        remove=remove[:MAX_ITEMS],
    )


def _display_name(effect: Effect, link: Link | None, sensitive: frozenset[str]) -> str:
    """Return a name for people, from values that the target gets."""
    values = effect.after_values | (link.last_written if link else {})
    paths = [each for each in ("userName", "displayName") if each not in sensitive]
    names = (values.get(each) for each in paths)
    return next((name for name in names if isinstance(name, str)), effect.id)


def _build_log_entry(
    context: CycleContext,
    outcome: Outcome,
    link: Link | None,
    sensitive: frozenset[str],
) -> LogEntry:
    effect = outcome.effect
    sent = [*list_sent_changes(effect), *_reference_changes(outcome)]
    changes = tuple(redact_changes(sent, sensitive))
    return LogEntry(
        time=context.clock(),
        cycle=context.cycle_id,
        job=context.job.name,
        object=effect.id,
        name=_display_name(effect, link, sensitive),
        type=effect.type,
        action="update" if effect.action == "reference" else effect.action,
        status="success" if outcome.state == "done" else "failure",
        resource=link.resource if link else effect.resource,
        paths=tuple(each.path for each in changes),
        changes=changes,
        members=_logged_members(outcome),
        http_status=outcome.status,
        reason=outcome.reason or LEAVER_REASONS.get(str(effect.because)),
        milliseconds=outcome.milliseconds,
    )


async def load_display_names(
    context: CycleContext, effects: Sequence[Effect]
) -> dict[str, str]:
    """Return the display name of each effect's object, by objectGUID."""
    links = await context.load_links([each.id for each in effects])
    return {
        each.id: _display_name(
            each, links.get(each.id), list_sensitive_paths(context.program, each.type)
        )
        for each in effects
    }


async def build_log_entries(
    context: CycleContext, outcomes: Sequence[Outcome]
) -> list[LogEntry]:
    """Return a log entry for each outcome, successful or not."""
    links = await context.load_links(
        [each.effect.id for each in outcomes if each.link is None]
    )
    hidden = {
        kind: list_sensitive_paths(context.program, kind)
        for kind in {each.effect.type for each in outcomes}
    }
    return [
        _build_log_entry(
            context,
            each,
            each.link or links.get(each.effect.id),
            hidden[each.effect.type],
        )
        for each in outcomes
    ]
