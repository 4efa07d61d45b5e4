"""SCIM resources: their paths, their nested and flat forms, and their patches."""

from __future__ import annotations

from cloudforest.program.resource.nesting import assemble, core_schema, extract
from cloudforest.program.resource.patch import patch_operations
from cloudforest.program.resource.path import Path, canonical_path, parse_path

__all__ = [
    "Path",
    "assemble",
    "canonical_path",
    "core_schema",
    "extract",
    "parse_path",
    "patch_operations",
]
