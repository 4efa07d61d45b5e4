"""The LDAP directory of a Samba domain."""

from __future__ import annotations

from typing import Any

from tests.servers.samba import Contoso

from cloudforest.adapters.ldap.controllers import Controllers
from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.base.secrets import Secret

OPENED: list[LdapDirectory] = []


def over_ldap(contoso: Contoso, **changed: Any) -> LdapDirectory:
    """Return the domain as the delegated account sees it."""
    settings: dict[str, Any] = {
        "domain": "contoso.com",
        "urls": [contoso.samba.url],
        "ca": str(contoso.samba.ca),
        "server_name": None,
        "verify": True,
        "username": contoso.delegated.username,
        "password": Secret(contoso.delegated.password),
    }
    directory = LdapDirectory(Controllers(**{**settings, **changed}))
    OPENED.append(directory)
    return directory
