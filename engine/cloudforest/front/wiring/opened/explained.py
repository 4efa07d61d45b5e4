"""A bus that says why no agent answered, where the agents have told it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from cloudforest.base.errors import Unavailable
from cloudforest.model.messages import Page, SyncRequest
from cloudforest.model.ports import AgentBus, IdentityStore


@dataclass(frozen=True)
class ExplainedBus:
    """See `model.ports.AgentBus`; agents tell their troubles when they bootstrap."""

    bus: AgentBus
    identities: IdentityStore

    def hints(self) -> AsyncIterator[str]:
        return self.bus.hints()

    async def ask(self, request: SyncRequest) -> AsyncIterator[Page]:
        try:
            async for page in self.bus.ask(request):
                yield page
        except Unavailable as error:
            troubles = [
                f"{agent.name} says: {agent.troubles[request.domain]}"
                for agent in await self.identities.agents()
                if agent.troubles and request.domain in agent.troubles
            ]
            # Of its kind still: who was interrupted is asked again.
            raise type(error)(" ".join([str(error), *troubles])) from error
