"""The ports: what the machines need of the outside world. Only these are async."""

from __future__ import annotations

from cloudforest.model.ports.bus import AgentBus, Answerer, ListenerBus
from cloudforest.model.ports.directory import (
    Cookie,
    Directory,
    Entry,
    Foreign,
    GroupMembers,
    Kind,
)
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.ports.notices import Mailer, NoticeStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.ports.target import Target

__all__ = [
    "AgentBus",
    "Answerer",
    "Cookie",
    "Directory",
    "Entry",
    "Foreign",
    "GroupMembers",
    "IdentityStore",
    "Kind",
    "ListenerBus",
    "Mailer",
    "NoticeStore",
    "ProvisioningStore",
    "RegistrationStore",
    "Target",
]
