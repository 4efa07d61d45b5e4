"""What a tree must be beyond the shape of its documents."""

from __future__ import annotations
