"""Why those leave whom a plan would deprovision: the clause, asked of the agents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cloudforest.model.messages import (
    Closing,
    Lookup,
    OutOfScope,
)
from cloudforest.model.provisioning import Effect
from cloudforest.provisioning.explaining.leaving import NOT_SAID, why_out
from cloudforest.provisioning.importing.requests import (
    request,
    require_last_word,
    whole_answer,
)
from cloudforest.provisioning.run import Run

GONE = "deleted in the directory"


async def _ask(run: Run, ids: Sequence[str]) -> dict[str, str]:
    lookups = tuple(Lookup(by="guid", value=each) for each in ids)
    asked = await request(run, "read", lookups=lookups, explain=True)
    said: dict[str, str] = {}
    closing: Closing | None = None
    async for page in run.bus.ask(asked):
        said |= {
            each.id: why_out(each)
            for each in page.records
            if isinstance(each, OutOfScope)
        }
        closing = page.closing
    require_last_word(run, closing)
    return said


async def reasons(run: Run, effects: Sequence[Effect]) -> dict[str, str]:
    """Return why access is taken away, by objectGUID, of those for whom it is.

    An import says of who left only that it is so; a read names the clause.
    """
    out = [each.id for each in effects if each.because == "out"]
    said = await whole_answer(run, partial(_ask, run, out)) if out else {}
    left = {id_: said.get(id_, NOT_SAID) for id_ in out}
    return left | {each.id: GONE for each in effects if each.because == "gone"}
