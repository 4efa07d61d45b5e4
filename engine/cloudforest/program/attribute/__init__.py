"""Attribute programs: what a resource should hold, and what must change for it."""

from __future__ import annotations

from cloudforest.program.attribute.change import changes
from cloudforest.program.attribute.mapping import Desired, compile_program

__all__ = ["Desired", "changes", "compile_program"]
