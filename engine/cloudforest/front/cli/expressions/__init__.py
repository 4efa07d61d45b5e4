"""The commands that try the expression language; none of them needs a server."""

from __future__ import annotations
