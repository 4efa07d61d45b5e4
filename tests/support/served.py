"""A running control plane, called over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from tests.support.installed import Installed, eventually

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore
from cloudforest.base.clock import system_clock
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import Role


@contextlib.contextmanager
def served(topology: Installed) -> Iterator[str]:
    with topology.running("serve", "--state", str(topology.state)):
        file = topology.state / "serve.json"
        eventually(file.exists, "serve.json")
        yield json.loads(file.read_text())["url"]


def operator_token(topology: Installed, role: Role) -> str:
    database = Database(f"sqlite:///{topology.state / 'cloudforest.db'}")
    operators = Operators(SqlIdentityStore(database), system_clock)
    token = asyncio.run(operators.add(role, role))
    database.close()
    return token


def ask(url: str, token: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def foresee(url: str, token: str, registration: Any) -> Any:
    """Return the impact, after the lines that report progress."""
    request = urllib.request.Request(
        url,
        data=json.dumps(registration).encode(),
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        *_, last = map(json.loads, answer)
    return last["foreseen"]
