"""What of a change a reader is shown: no defaults that come and go with an entry."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudforest.model.registration import (
    AttributeMapping,
    Budget,
    Job,
    Profile,
    Scope,
)
from cloudforest.model.value import Value
from cloudforest.plan.change import Change, FieldChange


def telling_fields(change: Change) -> list[FieldChange]:
    """Return the fields without those that only come, or only go, with their default.

    An attribute that is mapped now is one line then, not one for each of its options,
    and a list that is left out is not shown as an empty one.
    The JSON of a plan has them all.
    """
    return [each for each in change.fields if not _is_default(change.kind, each)]


def _is_default(kind: str, field: FieldChange) -> bool:
    values = [each for each in (field.before, field.after) if each is not None]
    place, _, name = field.path.rpartition(".")
    defaults = _DEFAULTS.get((kind, place.partition(".")[0]), {})
    return len(values) == 1 and values[0] in ([], {}, defaults.get(name))


def _defaults(of: type[Value]) -> dict[str, Any]:
    fields = msgspec.structs.fields(of)
    return {each.encode_name: each.default for each in fields if not each.required}


_DEFAULTS = {
    ("Target", "profile"): _defaults(Profile),
    ("Scope", ""): _defaults(Scope),
    ("Mapping", "attributeMappings"): _defaults(AttributeMapping),
    ("Job", ""): _defaults(Job),
    ("Job", "guard"): _defaults(Budget),
}
"""By kind, and by the first word of the place that fields stand in."""
