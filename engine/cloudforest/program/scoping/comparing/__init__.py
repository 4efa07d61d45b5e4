"""One value of a directory attribute against one value of a filter."""

from __future__ import annotations

from cloudforest.program.scoping.comparing.comparison import Test, test_of

__all__ = ["Test", "test_of"]
