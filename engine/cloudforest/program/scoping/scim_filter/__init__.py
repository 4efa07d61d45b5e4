"""SCIM filters over directory attributes, read (RFC 7644, 3.4.2.2).

Beside the operators of the RFC there is `has`, which holds where all bits of a number
are set: `userAccountControl has 2`.
"""

from __future__ import annotations

from cloudforest.program.scoping.scim_filter.leaves import Leaf, leaves
from cloudforest.program.scoping.scim_filter.tokens import MAX_DEPTH
from cloudforest.program.scoping.scim_filter.tree import MAX_LENGTH, parse_filter

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Leaf", "leaves", "parse_filter"]
