"""Attempts one effect: sends it, and turns a failure into an outcome.

In a change of members, a refused member holds back only itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as dataclasses_replace
from http import HTTPStatus

from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_ADOPT,
    PHASE_REFERENCE,
    PHASE_RETRY,
    Change,
    Effect,
    Outcome,
    ReferenceChange,
    build_membership_key,
)
from cloudforest.model.ports.target import Conflict, Refusal, ResourceNotFound, Target
from cloudforest.model.program import ObjectType
from cloudforest.model.source import FlatResource, Link, TargetResource
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.differences import (
    apply_changes,
    build_link,
    compare_with_observed,
    find_budgets,
)
from cloudforest.provisioning.export.value_swaps import (
    CONFLICT_PREFIX,
    find_blocking_stage,
)
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    ALREADY_LINKED,
    MatchFailure,
    find_match,
    reject_owned_matches,
)
from cloudforest.provisioning.run import CycleContext

GUARDED_IN_ADOPTIONS = frozenset({"disables", "rekeys"})
"""Budgets that an adoption found only at export would evade."""
NOT_GUARDED_YET = (
    "conflict: adopting the conflicting resource would disable it or change its key. "
    "The next attempt adopts it, if the guard allows."
)


@dataclass(frozen=True)
class PreparedEffect:
    """An effect with its object's link, and the resource ids of referenced objects.

    `includes_references`: a creation that also writes all references of the object.
    """

    effect: Effect
    link: Link | None
    resource_ids: Mapping[str, str]
    includes_references: bool = False


async def _modify(
    target: Target, effect: Effect, link: Link | None, changes: Sequence[Change]
) -> Outcome:
    """Write the values that differ; without a difference, only store the link."""
    resource = link.resource if link else effect.resource or ""
    differing = any(each.is_sent for each in changes)
    if differing:
        await target.modify(effect.resource_type, resource, changes)
    known = link.last_written if link and effect.action != "adopt" else {}
    written = apply_changes(known, changes)
    return Outcome(
        effect=effect,
        state="done",
        link=build_link(effect, resource, written, link),
        status=200 if differing else None,
    )


async def _send_references(target: Target, prepared: PreparedEffect) -> Outcome | None:
    """Write the references whose other end exists; None: all wait for a later cycle."""
    effect, link = prepared.effect, prepared.link
    if link is None:
        return None
    changes = [
        Change(
            path=each.path,
            before=link.last_written.get(each.path),
            after=prepared.resource_ids.get(each.to, each.to) if each.to else None,
        )
        for each in effect.references
        if (each.to is None and each.unless not in prepared.resource_ids)
        or each.to in prepared.resource_ids
        or each.missing
    ]
    return await _modify(target, effect, link, changes) if changes else None


async def _send_deprovisioning(
    target: Target, effect: Effect, link: Link | None
) -> Outcome:
    """Disable or delete the resource of a leaver; one that is gone is unlinked."""
    if link is None:
        return Outcome(effect=effect, state="done")
    status = 204
    try:
        if effect.action != "delete":
            return await _modify(target, effect, link, effect.changes)
        await target.delete(effect.resource_type, link.resource)
    except ResourceNotFound as refusal:
        status = refusal.status
    return Outcome(effect=effect, state="done", link=link, status=status, unlinked=True)


async def _send_effect(target: Target, prepared: PreparedEffect) -> Outcome | None:
    """Carry out an effect; None: it waits for other effects."""
    effect, link = prepared.effect, prepared.link
    if effect.because is not None:
        return await _send_deprovisioning(target, effect, link)
    if effect.references:
        return await _send_references(target, prepared)
    if not effect.is_creation:
        return await _modify(target, effect, link, effect.changes)
    values = {path: v for path, v in effect.after_values.items() if v is not None}
    resource = await target.create(effect.resource_type, values)
    link = build_link(effect, resource, values, None)
    return Outcome(effect=effect, state="done", link=link, status=201)


def build_escrow_outcome(
    context: CycleContext, effect: Effect, status: int | None, reason: str
) -> Outcome:
    """Put an effect in escrow; a 4xx status proves that nothing was created."""
    refused = (
        status is not None
        and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    )
    effect = replace(effect, sent=effect.sent and not refused)
    escrowed = effect.escrowed(reason, context.clock())
    return Outcome(effect=escrowed, state="escrowed", status=status, reason=reason)


def _refusal_reason(refusal: Refusal) -> str:
    prefix = "gone-at-target: " if isinstance(refusal, ResourceNotFound) else ""
    return f"{prefix}{refusal.reason}"


def _split(effect: Effect, size: int) -> Iterator[Effect]:
    """Cut a change of members into changes of at most `size` members."""
    for at in range(0, len(effect.add), size):
        yield replace(effect, add=effect.add[at : at + size], remove=())
    for at in range(0, len(effect.remove), size):
        yield replace(effect, add=(), remove=effect.remove[at : at + size])


async def _has_resource(target: Target, resource_type: str, resource: str) -> bool:
    with suppress(Refusal):
        await target.list_member_ids(resource_type, resource)
        return True
    return False


async def _send_members(
    context: CycleContext, prepared: PreparedEffect, effect: Effect, resource: str
) -> list[Outcome]:
    """Send a change; halve a refused one until single memberships are left."""
    try:
        await context.target.change_members(
            effect.resource_type,
            resource,
            add=[prepared.resource_ids[each] for each in effect.add],
            remove=[prepared.resource_ids[each] for each in effect.remove],
        )
    except Refusal as refusal:
        size = len(effect.add) + len(effect.remove)
        is_gone = isinstance(refusal, ResourceNotFound) and not await _has_resource(
            context.target, effect.resource_type, resource
        )
        if size > 1 and not is_gone:
            return [
                outcome
                for half in _split(effect, (size + 1) // 2)
                for outcome in await _send_members(context, prepared, half, resource)
            ]
        reason = _refusal_reason(refusal)
        singles = [
            replace(each, key=build_membership_key(effect.id, *each.add, *each.remove))
            for each in _split(effect, 1)
        ]
        return [
            build_escrow_outcome(context, each, refusal.status, reason)
            for each in singles
        ]
    added, removed = effect.add, effect.remove
    return [
        Outcome(effect=effect, state="done", added=added, removed=removed, status=200)
    ]


async def _write_members(
    context: CycleContext, prepared: PreparedEffect
) -> list[Outcome]:
    """Write the memberships whose member exists in the target."""
    effect, link = prepared.effect, prepared.link
    if link is None:
        return []
    if effect.present:
        # The members were read from `effect.resource`; another resource has others.
        is_same = link.resource == effect.resource
        return [Outcome(effect=effect, state="done", added=effect.present)] * is_same
    possible = replace(
        effect,
        add=tuple(each for each in effect.add if each in prepared.resource_ids),
        remove=tuple(each for each in effect.remove if each in prepared.resource_ids),
    )
    if not possible.add and not possible.remove:
        return []
    outcomes = await _send_members(context, prepared, possible, link.resource)
    return [Outcome(effect=replace(effect, add=(), remove=()), state="done"), *outcomes]


@dataclass(frozen=True)
class _Attempt:
    """One try of an effect other than a change of members.

    `is_last`: this cycle has no other write left that could resolve a conflict.
    """

    context: CycleContext
    mapper: Mapper
    prepared: PreparedEffect
    is_last: bool

    def _escrow(self, status: int | None, reason: str) -> Outcome:
        return build_escrow_outcome(self.context, self.prepared.effect, status, reason)

    def _values_without_references(self) -> FlatResource:
        """Return the values that the effect writes, except references."""
        return {
            each.path: each.after
            for each in self.prepared.effect.changes
            if each.path not in self.mapper.reference_mappings
        }

    async def _adopt_conflicting(self) -> Outcome | None:
        """Adopt the resource in the way if it is the object's own; None: no match."""
        context, effect = self.context, self.prepared.effect
        values = self._values_without_references()
        match = await find_match(context, self.mapper, values)
        if isinstance(match, TargetResource):
            match = (await reject_owned_matches(context, {effect.id: match}))[effect.id]
        if isinstance(match, MatchFailure):
            return self._escrow(HTTPStatus.CONFLICT, match.reason)
        if match is None:
            return None
        changes = compare_with_observed(self.mapper, values, match)
        if GUARDED_IN_ADOPTIONS.intersection(find_budgets(self.mapper, changes)):
            return self._escrow(HTTPStatus.CONFLICT, NOT_GUARDED_YET)
        if not context.progress.claim_resource(match.id, effect.id):
            return self._escrow(HTTPStatus.CONFLICT, ALREADY_LINKED)
        adoption = replace(
            effect,
            action="adopt",
            resource=match.id,
            changes=changes,
            guards=(),
            sent=False,
        )
        link, ids = self.prepared.link, self.prepared.resource_ids
        return await _send_effect(context.target, PreparedEffect(adoption, link, ids))

    async def _resolve_conflict(self, refusal: Conflict) -> Outcome:
        """Postpone a conflict until the other writes are done: they may resolve it."""
        effect = self.prepared.effect
        if effect.phase < PHASE_RETRY:
            phase = PHASE_ADOPT if effect.is_creation else PHASE_RETRY
            postponed = replace(effect, phase=phase, sent=False)
            return Outcome(effect=postponed, state="pending")
        if not self.is_last:
            return Outcome(effect=effect, state="pending")
        if effect.is_creation:
            adopted = await self._adopt_conflicting()
            if adopted is not None:
                return adopted
        stage = await find_blocking_stage(self.context, self.mapper, effect)
        reason = stage or f"{CONFLICT_PREFIX}{refusal.reason}"
        return self._escrow(refusal.status, reason)

    async def _create_without_references(self) -> list[Outcome]:
        """Create without references, so that a bad one cannot block the creation.

        The references become a separate effect, later in this cycle.
        """
        effect = self.prepared.effect
        values = self._values_without_references()
        referenced = {
            each.path: each.after for each in effect.changes if each.path not in values
        }
        objects = await self.context.store.find_linked_objects(
            self.context.job.target, list(referenced.values())
        )
        references = tuple(
            ReferenceChange(path=path, to=objects[resource])
            for path, resource in referenced.items()
            if resource in objects
        )
        later = replace(
            effect,
            key=f"{effect.id}/r",
            action="reference",
            phase=PHASE_REFERENCE,
            changes=(),
            references=references,
            guards=(),
        )
        changes = tuple(each for each in effect.changes if each.path in values)
        creation = PreparedEffect(
            replace(effect, changes=changes),
            self.prepared.link,
            self.prepared.resource_ids,
        )
        alone = dataclasses_replace(self, prepared=creation, is_last=True)
        rest = [Outcome(effect=later, state="pending")] * bool(references)
        return [*await alone.run(), *rest]

    async def _send_or_resolve(self) -> Outcome | None:
        try:
            outcome = await _send_effect(self.context.target, self.prepared)
        except Conflict as refusal:
            return await self._resolve_conflict(refusal)
        link = outcome.link if outcome else None
        if (
            link is not None
            and self.prepared.link is None
            and not self.context.progress.claim_resource(
                link.resource, link.object_guid
            )
        ):
            return self._escrow(HTTPStatus.CONFLICT, ALREADY_LINKED)
        return outcome

    async def run(self) -> list[Outcome]:
        effect = self.prepared.effect
        try:
            outcome = await self._send_or_resolve()
        except Refusal as refusal:
            has_references = any(
                each.path in self.mapper.reference_mappings for each in effect.changes
            )
            if effect.is_creation and has_references:
                return await self._create_without_references()
            outcome = self._escrow(refusal.status, _refusal_reason(refusal))
        except MappingFault as fault:
            outcome = self._escrow(None, f"mapping-fault: {fault}")
        if outcome is None:
            return []
        written = outcome.effect
        if (
            not self.prepared.includes_references
            or outcome.state != "done"
            or not written.is_creation
        ):
            return [outcome]
        # The creation has written the references too.
        references = replace(
            written, key=f"{written.id}/r", action="reference", guards=()
        )
        return [outcome, Outcome(effect=references, state="done")]


async def attempt_effect(
    context: CycleContext,
    mappers: Mapping[ObjectType, Mapper],
    prepared: PreparedEffect,
    *,
    is_last: bool,
) -> list[Outcome]:
    """Carry out an effect; a refusal puts only this effect in escrow.

    An empty list: it waits for other effects. `is_last`: this cycle has no other write
    left that could resolve a conflict.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    if prepared.effect.action == "members":
        outcomes = await _write_members(context, prepared)
    else:
        mapper = mappers[prepared.effect.type]
        outcomes = await _Attempt(context, mapper, prepared, is_last).run()
    milliseconds = round((loop.time() - started) * 1000)
    return [replace(each, milliseconds=milliseconds) for each in outcomes]
