"""The bytes of LDAP that ldap3 is not used for: controls, and search answers."""

from __future__ import annotations
