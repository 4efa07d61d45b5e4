"""What an agent answers to a request of the provisioning service."""

from __future__ import annotations

from cloudforest.agent.answer.responder import Answer

__all__ = ["Answer"]
