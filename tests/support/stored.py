"""Damage the watermark in the store."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.support.lab import Lab

_COOKIE = re.compile(rb'(?<=")[A-Za-z0-9+/]{40,}={0,2}(?=\\?")')


def forget_watermark(lab: Lab) -> None:
    with closing(_open(lab)) as database, database:
        database.execute("UPDATE watermark SET body = NULL WHERE job = ?", (lab.name,))


def spoil_cookies(lab: Lab, change: Callable[[bytes], bytes]) -> None:
    """Change every DirSync cookie in the watermark."""

    def spoiled(match: re.Match[bytes]) -> bytes:
        return base64.b64encode(change(base64.b64decode(match[0])))

    def spoil(body: bytes) -> bytes:
        body, number = _COOKIE.subn(spoiled, body)
        assert number >= 2
        return body

    _rewrite(lab, spoil)


def forget_asking(lab: Lab) -> None:
    """Pretend that the last full inquiry was long ago."""

    def forget(body: bytes) -> bytes:
        return json.dumps(
            {**json.loads(body), "asked": "2020-01-01T00:00:00Z"}
        ).encode()

    _rewrite(lab, forget)


def _rewrite(lab: Lab, change: Callable[[bytes], bytes]) -> None:
    with closing(_open(lab)) as database, database:
        [(body,)] = database.execute(
            "SELECT body FROM watermark WHERE job = ?", (lab.name,)
        )
        database.execute(
            "UPDATE watermark SET body = ? WHERE job = ?", (change(body), lab.name)
        )


def _open(lab: Lab) -> sqlite3.Connection:
    return sqlite3.connect(lab.service.installed.state / "cloudforest.db", timeout=30)
