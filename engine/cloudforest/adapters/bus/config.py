"""The configuration of the embedded nats-server, written as files (0600)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from cloudforest.adapters.bus.credentials import BusAuthority
from cloudforest.base.files import write_private

MAX_PAYLOAD = 1024 * 1024
"""Bytes of one message. A page is cut to fit before it is compressed."""

ANY_PORT = -1


def write_config(
    folder: Path,
    authority: BusAuthority,
    *,
    port: int | None,
    tls: tuple[Path, Path],
    now: datetime,
) -> Path:
    """Write it and return its path; `tls` is certificate and key."""
    path = folder / "nats.conf"
    write_private(path, _text(authority, port=port, tls=tls, now=now).encode())
    return path


def _text(
    authority: BusAuthority,
    *,
    port: int | None,
    tls: tuple[Path, Path],
    now: datetime,
) -> str:
    certificate, key = (_quoted(str(each.absolute())) for each in tls)
    account = authority.account.public
    return f"""\
host: "127.0.0.1"
port: {ANY_PORT if port is None else port}
max_payload: {MAX_PAYLOAD}
max_pending: {64 * MAX_PAYLOAD}
ping_interval: "20s"
operator: {_quoted(authority.operator_jwt(now))}
resolver: MEMORY
resolver_preload: {{ {account}: {_quoted(authority.account_jwt(now))} }}
tls {{
  cert_file: {certificate}
  key_file: {key}
  timeout: 5
  handshake_first: true
}}
"""


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
