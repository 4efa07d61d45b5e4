"""A domain read from an LDIF export."""

from __future__ import annotations

from cloudforest.adapters.directory.ldif.domain import LdifDirectory

__all__ = ["LdifDirectory"]
