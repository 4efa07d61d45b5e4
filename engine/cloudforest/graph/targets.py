"""Names of target attributes: Graph's, where the target is Entra ID, and SCIM's."""

from __future__ import annotations

from cloudforest.program.faults import SyntaxFault
from cloudforest.program.resource import canonical_path
from cloudforest.program.resource.path import ENTERPRISE
from cloudforest.program.resource.scim import writable_names

_PAIRS = (
    ("accountEnabled", "active"),
    ("city", 'addresses[type eq "work"].locality'),
    ("country", 'addresses[type eq "work"].country'),
    ("department", f"{ENTERPRISE}:department"),
    ("displayName", "displayName"),
    ("division", f"{ENTERPRISE}:division"),
    ("employeeId", f"{ENTERPRISE}:employeeNumber"),
    ("facsimileTelephoneNumber", 'phoneNumbers[type eq "fax"].value'),
    ("givenName", "name.givenName"),
    ("jobTitle", "title"),
    ("mail", 'emails[type eq "work"].value'),
    ("manager", f"{ENTERPRISE}:manager"),
    ("member", "members"),
    ("members", "members"),
    ("mobile", 'phoneNumbers[type eq "mobile"].value'),
    ("postalCode", 'addresses[type eq "work"].postalCode'),
    ("preferredLanguage", "preferredLanguage"),
    ("sourceAnchorBinary", "externalId"),
    ("state", 'addresses[type eq "work"].region'),
    ("streetAddress", 'addresses[type eq "work"].streetAddress'),
    ("surname", "name.familyName"),
    ("telephoneNumber", 'phoneNumbers[type eq "work"].value'),
    ("title", "title"),
    ("userPrincipalName", "userName"),
)
"""Entra ID's name, and the SCIM path for the same (RFC 7643, 4)."""

_PATHS = {name.casefold(): path for name, path in _PAIRS}
_NAMES = {path: name for name, path in reversed(_PAIRS)}
_CORE = writable_names()


def scim_path(name: str) -> str | None:
    """Return the SCIM path that a target attribute is or stands for, if any."""
    try:
        path = canonical_path(name)
    except SyntaxFault:
        path = ""
    if path.startswith("urn:") or path.partition(".")[0].partition("[")[0] in _CORE:
        return path
    return _PATHS.get(name.casefold())


def is_entra_name(name: str) -> bool:
    """Tell whether a target attribute only stands for a SCIM path."""
    path = _PATHS.get(name.casefold())
    return path is not None and canonical_path(name) != path


def entra_name(path: str) -> str:
    """Return Entra ID's name for a SCIM path, or the path where it has none."""
    return _NAMES.get(path, path)
