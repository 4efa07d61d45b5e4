"""Export: effects leave the outbox for the target, each with its outcome stored."""

from __future__ import annotations
