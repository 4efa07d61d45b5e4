"""What a schema of Graph says in our words, and what of it has no equivalent."""

from __future__ import annotations
