"""Documents put back into a schema of Graph."""

from __future__ import annotations
