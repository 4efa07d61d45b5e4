"""Stage decisions of operators: list, allow and discard stages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import Value
from cloudforest.control_plane.runs import JobRunner
from cloudforest.hybrid.operators import Operators
from cloudforest.model.effects import parse_membership_member
from cloudforest.model.identity import Operator
from cloudforest.model.jobs import live_key
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.stages import Allowance, Stage

SHORT_DIGEST_LENGTH = 12
"""How many characters of a digest are shown."""
OBJECTS_PER_PAGE = 500
_FULL_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGEST_PREFIX = re.compile(r"[0-9a-f]{6,64}")


class AllowRequest(Value, frozen=True):
    """Until when a stage is allowed, and who allows it."""

    until: datetime
    by: str


def _shape_stage(stage: Stage, allowed: datetime | None) -> dict[str, Any]:
    short = stage.id[:SHORT_DIGEST_LENGTH]
    return {
        "stage": short,
        "digest": stage.id,
        "job": stage.job,
        "guard": stage.guard,
        "effects": stage.effects,
        "waiting": stage.waiting,
        "limit": stage.limit,
        "since": stage.created,
        "what": stage.what,
        "allowedUntil": allowed,
        "allow": f"cloudforest job allow {short} --until 2h --by NAME",
        "discard": f"cloudforest job discard {short}",
    }


def _make_unknown_stage_error(name: str, stages: list[Stage]) -> Misconfigured:
    known = ", ".join(each.id[:SHORT_DIGEST_LENGTH] for each in stages)
    waiting = f"Waiting: {known}." if known else "No stage waits for a decision."
    return Misconfigured(
        f'Unknown stage "{name}". {waiting} Pass at least 6 characters of a waiting '
        "stage, or all 64 of one that a plan shows."
    )


@dataclass(frozen=True)
class StageDecisions:
    runner: JobRunner
    operators: Operators

    @property
    def _store(self) -> ProvisioningStore:
        return self.runner.store

    async def list_stages(self, job: str | None) -> list[dict[str, Any]]:
        allowances = await self._store.list_allowances(self.runner.clock())
        until = {each.stage: each.until for each in allowances}
        return [
            _shape_stage(each, until.get(each.id))
            for each in await self._store.list_stages(job)
        ]

    async def list_objects(self, name: str, after: str) -> list[dict[str, Any]]:
        """Return a page of the objects of a stage, after a key; [] at the end."""
        stage = await self._find_stage(name)
        page = await self._store.list_staged_effects(stage.id, after, OBJECTS_PER_PAGE)
        members = {id_ for each in page for id_ in parse_membership_member(each.key)}
        dns = await self._store.load_dns(live_key(stage.job), sorted(members))
        return [
            {
                "key": each.key,
                "object": each.object_guid,
                "dn": each.dn,
                "action": each.action,
                "member": member,
                "memberDn": dns.get(member) if member else None,
            }
            for each in page
            for member in (parse_membership_member(each.key) or (None,))
        ]

    async def allow(
        self, name: str, request: AllowRequest, operator: Operator
    ) -> dict[str, Any]:
        """Let the effects of a stage be written by cycles that start before `until`."""
        now = self.runner.clock()
        if not request.by.strip():
            raise Misconfigured("Pass `--by NAME` to record who approves.")
        if request.until <= now:
            past = request.until.isoformat()
            raise Misconfigured(f'`--until` is in the past: "{past}".')
        # A digest that a plan shows can be allowed before the stage exists.
        known = {each.id for each in await self._store.list_stages()}
        unseen = _FULL_DIGEST.fullmatch(name) and name not in known
        stage = None if unseen else await self._find_stage(name)
        digest = stage.id if stage else name
        job, by, until = stage and stage.job, request.by, request.until
        await self._store.save_allowance(
            Allowance(stage=digest, job=job or "", operator=by, until=until)
        )
        detail = f"{digest} until {until.isoformat()} by {by}"
        await self.operators.audit(operator, "job allow", detail)
        return {
            "digest": digest,
            "job": job,
            "effects": stage and stage.waiting,
            "until": until,
            "by": by,
        }

    async def discard(self, name: str, operator: Operator) -> dict[str, Any]:
        """Drop the effects of a stage; raise Busy while a cycle of its job runs."""
        stage = await self._find_stage(name)
        with self.runner.locks.hold_job(stage.job):
            number = await self._store.discard_stage(stage, self.runner.clock())
        await self.operators.audit(operator, "job discard", stage.id)
        return {"digest": stage.id, "job": stage.job, "effects": number}

    async def _find_stage(self, name: str) -> Stage:
        """Return the stage by its digest or the first characters of it."""
        stages = await self._store.list_stages()
        name = name.lower()
        found = [each for each in stages if each.id.startswith(name)]
        if not _DIGEST_PREFIX.fullmatch(name) or not found:
            raise _make_unknown_stage_error(name, stages)
        if len(found) > 1:
            several = ", ".join(each.id[: 2 * SHORT_DIGEST_LENGTH] for each in found)
            raise Misconfigured(
                f'Stage "{name}" is ambiguous: {several}. Pass more characters.'
            )
        return found[0]
