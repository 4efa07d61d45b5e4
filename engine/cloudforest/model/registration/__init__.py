"""The nouns of a tree, as they are registered: normalised, resolved, without secrets.

Names and shapes are the language's own, so that a difference between two registrations
reads like a difference between two files.
"""

from __future__ import annotations

from cloudforest.model.registration.forest import (
    ActiveDirectory,
    Agent,
    Bind,
    Domain,
    Forest,
    Source,
    Tls,
)
from cloudforest.model.registration.job import Budget, Job
from cloudforest.model.registration.mapping import (
    AttributeMapping,
    Mapping,
    OneLevel,
    Scope,
)
from cloudforest.model.registration.registered import Registration, Revision
from cloudforest.model.registration.secrets import BasicAuth, SecretReference
from cloudforest.model.registration.target import (
    Auth,
    ExtensionAttribute,
    Extensions,
    MutualTls,
    OAuth2,
    Profile,
    Target,
)
from cloudforest.model.registration.tenant import ConnectSync, Mail, Tenant

__all__ = [
    "ActiveDirectory",
    "Agent",
    "AttributeMapping",
    "Auth",
    "BasicAuth",
    "Bind",
    "Budget",
    "ConnectSync",
    "Domain",
    "ExtensionAttribute",
    "Extensions",
    "Forest",
    "Job",
    "Mail",
    "Mapping",
    "MutualTls",
    "OAuth2",
    "OneLevel",
    "Profile",
    "Registration",
    "Revision",
    "Scope",
    "SecretReference",
    "Source",
    "Target",
    "Tenant",
    "Tls",
]
