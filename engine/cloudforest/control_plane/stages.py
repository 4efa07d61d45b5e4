"""What operators decide about stages: to allow them, or to discard them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import Value
from cloudforest.hybrid.operators import Operators
from cloudforest.model.effects import members_named
from cloudforest.model.identity import Operator
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.stages import Allowance, Stage
from cloudforest.provisioning.run import Turns

SHORT = 12
"""So many characters of a digest are shown."""
BATCH = 500
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{6,64}")


class Word(Value, frozen=True):
    """An operator's word: until when a stage is allowed, and by whom."""

    until: datetime
    by: str


def _data(stage: Stage, allowed: datetime | None) -> dict[str, Any]:
    short = stage.id[:SHORT]
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


def _unknown(name: str, stages: list[Stage]) -> Misconfigured:
    known = ", ".join(each.id[:SHORT] for each in stages)
    waiting = f"those that wait for a decision: {known}" if known else "none waits"
    return Misconfigured(
        f"There is no stage {name}; {waiting}. Name one by at least six of its "
        "characters, or one that a plan shows by all 64."
    )


@dataclass(frozen=True)
class Decisions:
    store: ProvisioningStore
    operators: Operators
    turns: Turns
    clock: Clock

    async def stages(self, job: str | None) -> list[dict[str, Any]]:
        given = await self.store.allowances(self.clock())
        until = {each.stage: each.until for each in given}
        return [
            _data(each, until.get(each.id)) for each in await self.store.stages(job)
        ]

    async def objects(self, name: str, after: str) -> list[dict[str, Any]]:
        """Return some of the objects of a stage, those after a key; [] is the end."""
        stage = await self._find(name)
        some = await self.store.staged_effects(stage.id, after, BATCH)
        members = {id_ for each in some for id_ in members_named(each.key)}
        dns = await self.store.dns(stage.job, sorted(members))
        return [
            {
                "key": each.key,
                "object": each.id,
                "dn": each.dn,
                "action": each.action,
                "member": member,
                "memberDn": dns.get(member) if member else None,
            }
            for each in some
            for member in (members_named(each.key) or (None,))
        ]

    async def allow(self, name: str, word: Word, operator: Operator) -> dict[str, Any]:
        """Let the effects of a stage be written by cycles that start before `until`."""
        now = self.clock()
        if not word.by.strip():
            raise Misconfigured("Nobody is named; say with --by who allows it.")
        if word.until <= now:
            raise Misconfigured(f"{word.until.isoformat()} is over; name a later time.")
        stages = await self.store.stages()
        known = not _DIGEST.fullmatch(name) or any(each.id == name for each in stages)
        stage = await self._find(name) if known else None
        digest = stage.id if stage else name
        await self.store.allow(
            Allowance(
                stage=digest,
                job=stage.job if stage else "",
                operator=word.by,
                until=word.until,
            )
        )
        detail = f"{digest} until {word.until.isoformat()} by {word.by}"
        await self.operators.audit(operator, "job allow", detail)
        return {
            "digest": digest,
            "job": stage and stage.job,
            "effects": stage and stage.waiting,
            "until": word.until,
            "by": word.by,
        }

    async def discard(self, name: str, operator: Operator) -> dict[str, Any]:
        """Drop the effects of a stage; Busy while a cycle of its job runs."""
        stage = await self._find(name)
        with self.turns.take(stage.job):
            number = await self.store.discard(stage, self.clock())
        await self.operators.audit(operator, "job discard", stage.id)
        return {"digest": stage.id, "job": stage.job, "effects": number}

    async def _find(self, name: str) -> Stage:
        """Return the stage that a digest, or the beginning of one, names."""
        stages = await self.store.stages()
        name = name.lower()
        found = [each for each in stages if each.id.startswith(name)]
        if not _PREFIX.fullmatch(name) or not found:
            raise _unknown(name, stages)
        if len(found) > 1:
            several = ", ".join(each.id[: 2 * SHORT] for each in found)
            raise Misconfigured(f"{name} may be any of {several}; write more of it.")
        return found[0]
