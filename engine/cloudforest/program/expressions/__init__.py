"""Expressions and templates: read, checked, and compiled to closures."""

from __future__ import annotations
