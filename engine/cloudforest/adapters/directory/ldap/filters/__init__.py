"""LDAP search filters (RFC 4515), with every value escaped."""

from __future__ import annotations

from cloudforest.adapters.directory.ldap.filters.lookups import (
    any_of,
    groups_in,
    of_kind,
    primary_in,
)
from cloudforest.adapters.directory.ldap.filters.pushed import pushed

__all__ = ["any_of", "groups_in", "of_kind", "primary_in", "pushed"]
