"""Opens a target with its credential, resolved in this process only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudforest.adapters.target.credential import BasicCredential
from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import Secret, read_secret
from cloudforest.model.registration import Registration, SecretReference
from cloudforest.model.registration import Target as TargetNoun

EMBEDDED = "embedded"


@dataclass(frozen=True)
class Targets:
    """`embedded_url` and `embedded_token` lead to our own tenant directory.

    Files that hold secrets are relative to `folder`, the tree's.
    """

    embedded_url: str
    embedded_token: Secret
    environment: Mapping[str, str]
    folder: Path

    def open(self, registration: Registration, name: str) -> ScimTarget:
        target = registration.target(name)
        if target is None:
            raise Misconfigured(f"There is no target {name}; declare it and apply.")
        if target.scim == EMBEDDED:
            return ScimTarget(target, self.embedded_url, self.embedded_token)
        return ScimTarget(target, target.scim, self._credential(target))

    def _credential(self, target: TargetNoun) -> Secret | BasicCredential | None:
        auth = target.auth
        if auth is None:
            return None
        if auth.bearer is not None:
            return self._read(auth.bearer)
        if auth.basic is not None:
            password = self._read(auth.basic.password)
            return BasicCredential(auth.basic.username, password)
        return None

    def _read(self, reference: SecretReference) -> Secret:
        return read_secret(
            env=reference.env,
            file=reference.file,
            environment=self.environment,
            folder=self.folder,
        )
