"""Forests, their domains and the agents that read these."""

from __future__ import annotations

from typing import Literal

from cloudforest.model.registration.secrets import SecretReference
from cloudforest.model.value import Value


class Tls(Value, frozen=True):
    """`ca` is a file, relative to the tree; None: the machine's own authorities."""

    ca: str | None = None
    server_name: str | None = None
    verify: Literal["on", "off"] = "on"


class Bind(Value, frozen=True):
    username: str
    password: SecretReference


class ActiveDirectory(Value, frozen=True):
    controllers: tuple[str, ...]
    tls: Tls
    bind: Bind


class Source(Value, frozen=True):
    """Where a domain is read: exactly one is set. `ldif` is relative to the tree."""

    active_directory: ActiveDirectory | None = None
    ldif: str | None = None


class Domain(Value, frozen=True):
    name: str
    source: Source


class Forest(Value, frozen=True):
    name: str
    domains: tuple[Domain, ...]


class Agent(Value, frozen=True):
    name: str
    domains: tuple[str, ...]
    run: Literal["local", "remote"]
    formerly: str | None = None
