"""A saved plan: what was shown, and the registration that it leads to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import write_private
from cloudforest.model.registration import Registration
from cloudforest.model.value import Value
from cloudforest.plan.plan import Plan


class SavedPlan(Value, frozen=True):
    """`digest` is the plan's own; a file whose contents differ from it is refused."""

    digest: str
    plan: Plan
    desired: Registration
    version: Literal[1] = 1


def save_plan(path: Path, plan: Plan, desired: Registration) -> None:
    """Write it aside and move it into place, readable by its owner only."""
    saved = SavedPlan(digest=plan.digest, plan=plan, desired=desired)
    write_private(path, msgspec.json.format(msgspec.json.encode(saved)))


def load_plan(path: Path) -> SavedPlan:
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=SavedPlan)
    except OSError as error:
        raise Misconfigured(
            f"The plan {path} can't be read ({error.strerror})."
        ) from error
    except msgspec.DecodeError as error:
        raise Misconfigured(
            f"{path} is not a saved plan ({error}); make one with `plan --out`."
        ) from error
    if saved.digest != saved.plan.digest:
        raise Misconfigured(
            f"The plan {path} was changed after it was made; plan again."
        )
    return saved
