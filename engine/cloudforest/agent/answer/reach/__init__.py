"""What a scope names, resolved: in the job's domain and, for groups, beyond it."""

from __future__ import annotations
