"""A domain read from its controllers over LDAPS."""

from __future__ import annotations

from cloudforest.adapters.directory.ldap.domain import LdapDirectory

__all__ = ["LdapDirectory"]
