"""Bound connections to the controllers of a domain, and what their refusals mean."""

from __future__ import annotations
