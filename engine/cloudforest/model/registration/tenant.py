"""The tenant, and who is told by mail."""

from __future__ import annotations

from typing import Literal

import msgspec

from cloudforest.model.registration.secrets import BasicAuth
from cloudforest.model.value import Value


class Mail(Value, frozen=True):
    server: str
    port: int
    tls: Literal["starttls", "implicit", "off"]
    sender: str = msgspec.field(name="from")
    ca: str | None = None
    auth: BasicAuth | None = None


class ConnectSync(Value, frozen=True):
    """What another tool goes on syncing; nothing here acts on it."""

    forests: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Tenant(Value, frozen=True):
    """`log_retention` is how long the provisioning log is kept, in seconds.

    `default_domain` is what DefaultDomain gives in expressions.
    """

    name: str
    scenario: str
    notify: tuple[str, ...] = ()
    log_retention: int = 30 * 86400
    mail: Mail | None = None
    default_domain: str | None = None
    connect_sync: ConnectSync | None = None
