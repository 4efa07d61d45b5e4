"""Operators' calls whose answer is streamed line by line."""

from __future__ import annotations

import json

from tests.servers.hostile import HostileServer, Reply

from cloudforest.adapters.control import ControlPlaneClient
from cloudforest.model.registration import Registration, Tenant

REGISTRATION = Registration(tenant=Tenant(name="contoso", scenario="pilot"))
LONG = "x" * 1_000_000
"""Lines have no size limit: a plan's last one has all of its jobs."""


async def test_streamed_lines_of_any_length_are_read_whole():
    sent = [{"job": "people", "phase": "evaluate", "done": 1, "total": 2}]
    sent.append({"foreseen": {"impacts": [], "consequences": [LONG]}})
    body = "\n".join(map(json.dumps, sent)).encode()
    for ended in (body, body + b"\n"):
        server = HostileServer(lambda _, ended=ended: Reply(body=ended))
        try:
            async with ControlPlaneClient(server.url) as client:
                received = [each async for each in client.impact(REGISTRATION)]
        finally:
            server.close()
        assert received == sent
