"""Dates: read, written and counted as .NET and Visual Basic do, always in UTC."""

from __future__ import annotations
