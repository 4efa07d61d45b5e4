"""What an agent asks of the control plane: enrolment and bootstrap."""

from __future__ import annotations

import msgspec

from cloudforest.adapters.control.http import ControlPlaneHttp
from cloudforest.model.identity import (
    BootstrapRequest,
    BootstrapResponse,
    EnrolRequest,
    EnrolResponse,
)


class AgentControlPlane(ControlPlaneHttp):
    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        body = await self.call("POST", "/agent/enrol", request)
        return msgspec.json.decode(body, type=EnrolResponse)

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse:
        body = await self.call("POST", "/agent/bootstrap", request)
        return msgspec.json.decode(body, type=BootstrapResponse)
