"""What an operator's command makes of an answer that comes line by line."""

from __future__ import annotations

import json

from tests.servers.hostile import HostileServer, Reply

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.model.registration import Registration, Tenant

REGISTRATION = Registration(tenant=Tenant(name="contoso", scenario="pilot"))
LONG = "x" * 1_000_000
"""No line has a limit: a plan's last one has all of its jobs."""


async def test_a_line_is_whole_however_long_it_is():
    said = [{"job": "people", "phase": "evaluate", "done": 1, "total": 2}]
    said.append({"foreseen": {"impacts": [], "consequences": [LONG]}})
    body = "\n".join(map(json.dumps, said)).encode()
    for ended in (body, body + b"\n"):
        server = HostileServer(lambda _, ended=ended: Reply(body=ended))
        try:
            async with ControlPlaneClient(server.url) as client:
                heard = [each async for each in client.impact(REGISTRATION)]
        finally:
            server.close()
        assert heard == said
