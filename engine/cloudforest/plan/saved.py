"""Saves a plan to a file and loads it: what was shown, and what it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import MAX_DATA_BYTES, read_bounded, write_private_file
from cloudforest.base.values import Value, canonical_digest
from cloudforest.model.registration import Registration
from cloudforest.plan.plan import Plan

_DOCUMENT_SUFFIXES = frozenset({".yaml", ".yml"})


class SavedPlan(Value, frozen=True):
    """A plan with the digests of what it was made from, and the commit of the tree.

    `tree` is the digest of the desired registration, `against` that of the registered
    one. The registrations are not saved: they contain values that no plan shows.
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
    """The file; it is refused if `digest` is not the digest of `saved`."""

    digest: str
    saved: SavedPlan


def require_plan_path(path: Path) -> None:
    """Raise Misconfigured if saving would overwrite something other than a plan."""
    if path.suffix in _DOCUMENT_SUFFIXES:
        raise Misconfigured(
            f'"{path}" would be read as a document of the tree. Use another extension, '
            "such as change.plan."
        )
    if path.is_dir():
        raise Misconfigured(f'"{path}" is a folder. Name a file in it.')
    if path.exists():
        try:
            load_plan(path)
        except Misconfigured as error:
            raise Misconfigured(
                f'"{path}" already exists and is not a saved plan. Name another file.'
            ) from error


def save_plan(path: Path, saved: SavedPlan) -> None:
    """Write the file in one step, readable by its owner only."""
    file = _PlanFile(digest=canonical_digest(saved), saved=saved)
    try:
        write_private_file(path, msgspec.json.format(msgspec.json.encode(file)))
    except OSError as error:
        raise Misconfigured(
            f'Cannot save the plan as "{path}": {error.strerror}. Name another file.'
        ) from error


def load_plan(path: Path) -> SavedPlan:
    try:
        file = msgspec.json.decode(read_bounded(path, MAX_DATA_BYTES), type=_PlanFile)
    except OSError as error:
        raise Misconfigured(
            f'Cannot read the plan "{path}": {error.strerror}.'
        ) from error
    except msgspec.DecodeError as error:
        raise Misconfigured(
            f'"{path}" is not a saved plan: {error}. '
            "Make one with `cloudforest plan --out`."
        ) from error
    if file.digest != canonical_digest(file.saved):
        raise Misconfigured(
            f'The plan "{path}" was edited after it was saved. '
            "Make it again with `cloudforest plan --out`."
        )
    return file.saved
