"""One module a revision; a published one never changes."""

from __future__ import annotations
