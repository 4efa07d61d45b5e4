"""`job …`: run, steer, and decide about what is staged."""

from __future__ import annotations
