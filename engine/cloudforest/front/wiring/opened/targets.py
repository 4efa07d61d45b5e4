"""Opens a target with its credential, resolved in this process only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.adapters.target import (
    BasicCredential,
    ClientCertificate,
    ClientCredentials,
    Credential,
    ScimTarget,
    Tokens,
)
from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import Secret, read_secret
from cloudforest.model.registration import Auth, OAuth2, Registration, SecretReference

EMBEDDED = "embedded"


@dataclass(frozen=True)
class Targets:
    """`embedded_url` and `embedded_token` lead to our own tenant directory.

    Files are relative to `folder`, the tree's. They and the variables are read each
    time that a target is opened; `tokens` outlive that, by the target's name.
    """

    embedded_url: str
    embedded_token: Secret
    environment: Mapping[str, str]
    folder: Path
    tokens: dict[str, Tokens] = field(default_factory=dict)

    def open(self, registration: Registration, name: str) -> ScimTarget:
        target = registration.target(name)
        if target is None:
            raise Misconfigured(f"There is no target {name}; declare it and apply.")
        if target.scim == EMBEDDED:
            return ScimTarget(target, self.embedded_url, self.embedded_token)
        return ScimTarget(target, target.scim, self._credential(name, target.auth))

    def _credential(self, name: str, auth: Auth | None) -> Credential:
        match auth:
            case Auth(bearer=SecretReference() as reference):
                return self._read(reference)
            case Auth(basic=basic) if basic is not None:
                return BasicCredential(basic.username, self._read(basic.password))
            case Auth(oauth2=OAuth2() as oauth2):
                return self._tokens(name, oauth2)
            case Auth(mtls=mtls) if mtls is not None:
                certificate = self.folder / mtls.certificate
                return ClientCertificate(certificate, self._read(mtls.key))
            case _:
                return None

    def _tokens(self, name: str, oauth2: OAuth2) -> Tokens:
        """Return those that there are, unless they were for another credential."""
        credentials = ClientCredentials(
            oauth2.token_url,
            oauth2.client_id,
            self._read(oauth2.client_secret),
            oauth2.scope,
        )
        known = self.tokens.get(name)
        if known is None or not known.credentials.same_as(credentials):
            known = self.tokens[name] = Tokens(name, credentials)
        return known

    def _read(self, reference: SecretReference) -> Secret:
        return read_secret(
            env=reference.env,
            file=reference.file,
            environment=self.environment,
            folder=self.folder,
        )
