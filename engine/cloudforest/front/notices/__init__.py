"""Who is told what by mail, and that once."""

from __future__ import annotations
