"""The commands, each in the module of its subject."""

from __future__ import annotations
