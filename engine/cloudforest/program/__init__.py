"""Layer 3: what scopes, filters, expressions, templates, paths and guards mean."""

from __future__ import annotations
