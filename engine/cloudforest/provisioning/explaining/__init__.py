"""Explain: one object's way through a job, step by step, writing nothing."""

from __future__ import annotations
