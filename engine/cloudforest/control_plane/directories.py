"""Opens the directory of a domain with the binding of this host."""

from __future__ import annotations

from pathlib import Path

from cloudforest.adapters.ldap.controllers import Controllers
from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.agent.bindings import HostBinding
from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import read_secret
from cloudforest.model.ports.directory import Directory
from cloudforest.model.registration import Domain


def open_directory(domain: Domain, binding: HostBinding) -> Directory:
    """Return the directory; raise Misconfigured if the host has no binding for it."""
    source, bound = domain.source.active_directory, binding.active_directory
    if source is not None and bound is not None:
        return LdapDirectory(
            Controllers(
                domain.name,
                source.controllers,
                ca=bound.ca,
                server_name=bound.server_name,
                # Either side can require verification; turning it off takes both.
                verify="on" in (bound.verify, source.tls.verify),
                username=bound.username,
                password=read_secret(bound.password),
            )
        )
    if binding.ldif is None:
        raise Misconfigured(f'This host has no binding for domain "{domain.name}".')
    return LdifDirectory(domain.name, Path(binding.ldif))
