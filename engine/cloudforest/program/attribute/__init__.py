"""Attribute programs: what a resource should hold, and what must change for it."""

from __future__ import annotations

from cloudforest.program.attribute.change import changes, same, unchanged
from cloudforest.program.attribute.comparing import comparable
from cloudforest.program.attribute.conversion import converted
from cloudforest.program.attribute.mapping import Desired, attributes, compile_program

__all__ = [
    "Desired",
    "attributes",
    "changes",
    "comparable",
    "compile_program",
    "converted",
    "same",
    "unchanged",
]
