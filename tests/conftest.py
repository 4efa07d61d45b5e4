"""Fixtures for everybody: the servers, and no socket outside loopback."""

from __future__ import annotations

import ipaddress
import socket

import pytest

pytest_plugins = [
    "tests.sampling",
    "tests.servers.mail",
    "tests.servers.oauth",
    "tests.servers.openldap",
    "tests.servers.postgres",
    "tests.servers.samba",
    "tests.servers.scim",
    "tests.support.hosted",
    "tests.support.topology",
]


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if (
            host not in (None, "localhost")
            and not ipaddress.ip_address(host).is_loopback
        ):
            message = f"A test tried to reach {host}; tests stay on loopback."
            raise AssertionError(message)
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
