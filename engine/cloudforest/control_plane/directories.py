"""Opens the directory of a domain with the binding of this host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.agent.bindings import ActiveDirectoryBinding, HostBinding
from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import read_secret
from cloudforest.model.ports.directory import Directory
from cloudforest.model.registration import ActiveDirectory, Domain


def _open_ldap(
    domain: str,
    source: ActiveDirectory,
    binding: ActiveDirectoryBinding,
    environment: Mapping[str, str],
) -> LdapDirectory:
    return LdapDirectory(
        domain,
        source.controllers,
        ca=binding.ca,
        server_name=binding.server_name,
        # Either side can require verification; turning it off takes both.
        verify="on" in (binding.verify, source.tls.verify),
        username=binding.username,
        password=read_secret(
            env=binding.password.env,
            file=binding.password.file,
            environment=environment,
        ),
    )


def open_directory(
    domain: Domain, binding: HostBinding, environment: Mapping[str, str]
) -> Directory:
    """Return the directory; raise Misconfigured if the host has no binding for it."""
    source = domain.source.active_directory
    if source is not None and binding.active_directory is not None:
        return _open_ldap(domain.name, source, binding.active_directory, environment)
    if binding.ldif is None:
        raise Misconfigured(f'This host has no binding for domain "{domain.name}".')
    return LdifDirectory(domain.name, Path(binding.ldif))
