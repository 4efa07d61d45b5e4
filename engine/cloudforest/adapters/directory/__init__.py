"""Reading a domain: over LDAP with DirSync, or from an LDIF export."""

from __future__ import annotations
