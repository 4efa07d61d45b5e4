"""Who would be written by two: by two jobs, or by another tool as well."""

from __future__ import annotations
