"""What an agent asks of the control plane: enrolment and bootstrap."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from cloudforest.adapters.control.http import ControlPlaneHttp
from cloudforest.base.errors import Rejected
from cloudforest.model.identity import (
    BootstrapRequest,
    BootstrapResponse,
    EnrolRequest,
    EnrolResponse,
)

T = TypeVar("T")


class AgentControlPlane(ControlPlaneHttp):
    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        body = await self.call("POST", "/agent/enrol", request)
        return self._decoded(body, EnrolResponse)

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse:
        body = await self.call("POST", "/agent/bootstrap", request)
        return self._decoded(body, BootstrapResponse)

    def _decoded(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise Rejected(
                f"What answers at {self.url} is no control plane of this version"
                f" ({error}). Check the address, and who sits between."
            ) from error
