"""One value of a directory attribute against one value of a filter."""

from __future__ import annotations

from cloudforest.program.scoping.comparing.comparison import Test, test_of
from cloudforest.program.scoping.comparing.moments import is_moment, is_tick

__all__ = ["Test", "is_moment", "is_tick", "test_of"]
