"""An agent's calls to a server that is not a control plane."""

from __future__ import annotations

import pytest
from tests.servers.hostile import HostileServer, Reply

from cloudforest.adapters.control import AgentControlPlaneClient
from cloudforest.base.errors import Rejected
from cloudforest.model.identity import BootstrapRequest, EnrolRequest


@pytest.mark.parametrize("body", ["Welcome to our portal", {"agent": 1}, None])
async def test_answer_of_another_server_is_rejected_with_its_url(body):
    server = HostileServer(lambda _: Reply(body=body))
    try:
        async with AgentControlPlaneClient(server.url) as control:
            with pytest.raises(Rejected, match=server.url):
                await control.bootstrap(
                    BootstrapRequest(assertion="a", nkey="U", version="0")
                )
            with pytest.raises(Rejected, match=server.url):
                await control.enrol(EnrolRequest(token="t", csr="c"))
    finally:
        server.close()
