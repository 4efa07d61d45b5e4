"""The SCIM 2.0 client: a target as the provisioning service sees it."""

from __future__ import annotations

from cloudforest.adapters.target.proof.certificate import ClientCertificate
from cloudforest.adapters.target.proof.credential import BasicCredential, Credential
from cloudforest.adapters.target.proof.endpoint import ClientCredentials
from cloudforest.adapters.target.proof.tokens import Tokens
from cloudforest.adapters.target.scim import ScimTarget

__all__ = [
    "BasicCredential",
    "ClientCertificate",
    "ClientCredentials",
    "Credential",
    "ScimTarget",
    "Tokens",
]
