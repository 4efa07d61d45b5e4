"""What a restart forgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from cloudforest.base.errors import Misconfigured

ResetScope = Literal["Escrows", "QuarantineState", "Watermark", "ConnectorDataStore"]
"""The names are Microsoft Graph's."""

SCOPES: tuple[ResetScope, ...] = get_args(ResetScope)
FULL = "Full"
DEFAULT: tuple[ResetScope, ...] = ("Escrows", "QuarantineState", "Watermark")
"""As in Graph: an empty resetScope is the portal's `Restart provisioning`."""


def read_scopes(names: Sequence[str]) -> frozenset[ResetScope]:
    """Return what is to be reset; raises Misconfigured for a name that is none."""
    known: dict[str, tuple[ResetScope, ...]] = {
        each.lower(): (each,) for each in SCOPES
    }
    known[FULL.lower()] = SCOPES
    words = [each.strip() for each in names if each.strip()]
    if unknown := [each for each in words if each.lower() not in known]:
        raise Misconfigured(
            f"{', '.join(unknown)} can't be reset; write one or more of "
            f"{', '.join([*SCOPES, FULL])}, with commas between."
        )
    return frozenset(scope for each in words for scope in known[each.lower()]) or (
        frozenset(DEFAULT)
    )
