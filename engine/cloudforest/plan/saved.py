"""A saved plan: what was shown, and of what it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import MAX_DATA_BYTES, read_bounded, write_private_file
from cloudforest.base.values import Value, canonical_digest
from cloudforest.model.registration import Registration
from cloudforest.plan.plan import Plan


class SavedPlan(Value, frozen=True):
    """`tree` is the digest of what the documents say, `against` of what was registered.

    The documents themselves hold values that no plan shows, and are not saved.
    `commit` is where the documents were when they were read.
    """

    plan: Plan
    tree: str
    against: str
    commit: str | None = None
    version: Literal[1] = 1


def make_saved_plan(
    plan: Plan, desired: Registration, registered: Registration | None
) -> SavedPlan:
    return SavedPlan(
        plan=plan, tree=canonical_digest(desired), against=canonical_digest(registered)
    )


class _PlanFile(Value, frozen=True):
    """`digest` is that of `saved`; a file whose contents differ from it is refused."""

    digest: str
    saved: SavedPlan


def require_plan_path(path: Path) -> None:
    """Raise Misconfigured where a plan would replace something that is no plan."""
    if path.suffix in _DOCUMENT_SUFFIXES:
        raise Misconfigured(
            f"{path} has the ending of a document, and would be read as one; name a "
            "file with another ending, such as change.plan."
        )
    if path.is_dir():
        raise Misconfigured(f"{path} is a folder; name a file in it.")
    if path.exists():
        try:
            load_plan(path)
        except Misconfigured as error:
            raise Misconfigured(
                f"{path} is there already, and is no plan that could be replaced; name "
                "another file."
            ) from error


def save_plan(path: Path, saved: SavedPlan) -> None:
    """Write it aside and move it into place, readable by its owner only."""
    file = _PlanFile(digest=canonical_digest(saved), saved=saved)
    try:
        write_private_file(path, msgspec.json.format(msgspec.json.encode(file)))
    except OSError as error:
        raise Misconfigured(
            f"The plan can't be saved as {path} ({error.strerror}); name another file."
        ) from error


def load_plan(path: Path) -> SavedPlan:
    try:
        file = msgspec.json.decode(read_bounded(path, MAX_DATA_BYTES), type=_PlanFile)
    except OSError as error:
        raise Misconfigured(
            f"The plan {path} can't be read ({error.strerror})."
        ) from error
    except msgspec.DecodeError as error:
        raise Misconfigured(
            f"{path} is not a saved plan ({error}); make one with `plan --out`."
        ) from error
    if file.digest != canonical_digest(file.saved):
        raise Misconfigured(
            f"The plan {path} was changed after it was made; plan again."
        )
    return file.saved


_DOCUMENT_SUFFIXES = frozenset({".yaml", ".yml"})
