"""Opens a domain's directory with what is bound on this host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.agent.bindings import Binding, DirectoryBinding
from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import read_secret
from cloudforest.model.ports.directory import Directory
from cloudforest.model.registration import ActiveDirectory, Domain


def open_directory(
    domain: Domain, binding: Binding, environment: Mapping[str, str]
) -> Directory:
    """Raise Misconfigured, naming what is missing, when the binding can't be used."""
    asked = domain.source.active_directory
    if asked is not None and binding.active_directory is not None:
        return _open_ldap(domain.name, asked, binding.active_directory, environment)
    if binding.ldif is None:
        raise Misconfigured(f"Nothing is bound on this host for {domain.name}.")
    return LdifDirectory(domain.name, Path(binding.ldif))


def _open_ldap(
    domain: str,
    asked: ActiveDirectory,
    bound: DirectoryBinding,
    environment: Mapping[str, str],
) -> LdapDirectory:
    return LdapDirectory(
        domain,
        asked.controllers,
        ca=bound.ca,
        server_name=bound.server_name,
        # Either may turn verification on again; it takes both to turn it off.
        verify="on" in (bound.verify, asked.tls.verify),
        username=bound.username,
        password=read_secret(
            env=bound.password.env,
            file=bound.password.file,
            environment=environment,
        ),
    )
