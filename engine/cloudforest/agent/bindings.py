"""What an agent's host allows per domain: controllers, CA, account, LDIF file.

Bootstrap carries only names. Otherwise a stolen control plane could send a domain's
bind password to its own server, or read any file or variable as a password.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import read_bounded
from cloudforest.base.values import Value
from cloudforest.model.registration import ActiveDirectory, Domain, SecretReference


class ActiveDirectoryBinding(Value, frozen=True):
    """What this host allows for a domain in Active Directory.

    Bootstrap chooses among `controllers`, and names the `credential`. `ca` is a file on
    this host.
    """

    controllers: tuple[str, ...]
    username: str
    password: SecretReference
    credential: str
    ca: str | None = None
    server_name: str | None = None
    verify: Literal["on", "off"] = "on"


class HostBinding(Value, frozen=True):
    """What this host allows for a domain: exactly one is set; `ldif` is a file here."""

    active_directory: ActiveDirectoryBinding | None = None
    ldif: str | None = None


HostBindings = dict[str, HostBinding]
"""Keyed by domain name."""


def load_host_bindings(path: Path) -> HostBindings:
    """Return what the file allows; nothing if it is missing."""
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(read_bounded(path), type=HostBindings)
    except (msgspec.MsgspecError, OSError) as error:
        raise Misconfigured(f'Cannot read the bindings "{path}": {error}.') from error


def encode_host_bindings(bindings: HostBindings) -> bytes:
    return msgspec.json.format(msgspec.json.encode(bindings), indent=2) + b"\n"


def make_host_binding(domain: Domain, folder: Path) -> HostBinding:
    """Allow what the documents of this host declare; paths are relative to `folder`."""
    directory = domain.source.active_directory
    if directory is None:
        return HostBinding(ldif=str((folder / (domain.source.ldif or "")).absolute()))
    return HostBinding(
        active_directory=ActiveDirectoryBinding(
            controllers=directory.controllers,
            username=directory.bind.username,
            password=_absolute_reference(directory.bind.password, folder),
            credential=f"{domain.name}/bind",
            ca=_absolute_path(directory.tls.ca, folder),
            server_name=directory.tls.server_name,
            verify=directory.tls.verify,
        )
    )


def _absolute_reference(reference: SecretReference, folder: Path) -> SecretReference:
    return SecretReference(
        env=reference.env, file=_absolute_path(reference.file, folder)
    )


def _absolute_path(path: str | None, folder: Path) -> str | None:
    return None if path is None else str((folder / path).absolute())


def find_refusal(
    domain: Domain, credential: str | None, bindings: HostBindings
) -> str | None:
    """Return why this host refuses a domain from bootstrap; None if it is allowed."""
    binding = bindings.get(domain.name)
    if binding is None:
        return _refusal_text("the domain", domain.name)
    directory = domain.source.active_directory
    if directory is None:
        return _find_ldif_refusal(domain, binding)
    if binding.active_directory is None:
        return _refusal_text("Active Directory as the source of", domain.name)
    return _find_directory_refusal(domain, directory, binding.active_directory) or (
        None
        if credential == binding.active_directory.credential
        else _refusal_text("the credential", credential, domain)
    )


def _find_ldif_refusal(domain: Domain, binding: HostBinding) -> str | None:
    requested = domain.source.ldif
    if requested and binding.ldif and _ends_with(binding.ldif, requested):
        return None
    return _refusal_text("the LDIF file", requested, domain)


def _find_directory_refusal(
    domain: Domain, requested: ActiveDirectory, bound: ActiveDirectoryBinding
) -> str | None:
    for controller in requested.controllers:
        if controller not in bound.controllers:
            return _refusal_text("the controller", controller, domain)
    if requested.tls.verify == "off" and bound.verify == "on":
        return _refusal_text("the setting", "verify: off", domain)
    if requested.tls.ca and not (bound.ca and _ends_with(bound.ca, requested.tls.ca)):
        return _refusal_text("the CA", requested.tls.ca, domain)
    if requested.tls.server_name != bound.server_name:
        return _refusal_text("the server name", requested.tls.server_name, domain)
    if requested.bind.username != bound.username:
        return _refusal_text("the account", requested.bind.username, domain)
    return None


def _ends_with(path: str, relative: str) -> bool:
    # The path in the tree is relative, the one on the host absolute.
    end = PurePosixPath(relative).parts
    return PurePosixPath(path).parts[-len(end) :] == end


def _refusal_text(setting: str, value: str | None, domain: Domain | None = None) -> str:
    where = f" for {domain.name}" if domain else ""
    return (
        f'The agent\'s host does not allow {setting} "{value or "(none)"}"{where}. To '
        "allow it, add it to bindings.json in the agent's state folder on that host."
    )
