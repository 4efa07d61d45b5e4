"""What this host allows: per domain, the controllers, the CA, the account, the file.

Bootstrap carries names only. Otherwise a stolen control plane could send the bind
password of a domain to a server of its own, or read any file or variable as one.
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
    """`ca` is a file on this host. `credential` is the name that bootstrap may use.

    What is opened is what is bound here; bootstrap only chooses among `controllers`.
    """

    controllers: tuple[str, ...]
    username: str
    password: SecretReference
    credential: str
    ca: str | None = None
    server_name: str | None = None
    verify: Literal["on", "off"] = "on"


class HostBinding(Value, frozen=True):
    """Exactly one is set; `ldif` is a file on this host."""

    active_directory: ActiveDirectoryBinding | None = None
    ldif: str | None = None


HostBindings = dict[str, HostBinding]
"""Keyed by domain name."""


def load_host_bindings(path: Path) -> HostBindings:
    """Return what the file allows: nothing, if there is no file."""
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(read_bounded(path), type=HostBindings)
    except (msgspec.MsgspecError, OSError) as error:
        raise Misconfigured(f"{path} can't be read as bindings ({error}).") from error


def encode_host_bindings(bindings: HostBindings) -> bytes:
    return msgspec.json.format(msgspec.json.encode(bindings), indent=2) + b"\n"


def make_host_binding(domain: Domain, folder: Path) -> HostBinding:
    """Allow on this host what its own documents say; paths are relative to `folder`."""
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
    """Return why this host refuses what bootstrap sent, naming it; None if allowed."""
    binding = bindings.get(domain.name)
    if binding is None:
        return _refusal_text(domain, "the domain", domain.name)
    directory = domain.source.active_directory
    if directory is None:
        return _find_ldif_refusal(domain, binding)
    if binding.active_directory is None:
        return _refusal_text(domain, "Active Directory for", domain.name)
    return _find_directory_refusal(domain, directory, binding.active_directory) or (
        None
        if credential == binding.active_directory.credential
        else _refusal_text(domain, "the credential", credential)
    )


def _find_ldif_refusal(domain: Domain, binding: HostBinding) -> str | None:
    asked = domain.source.ldif
    if asked and binding.ldif and _ends_with(binding.ldif, asked):
        return None
    return _refusal_text(domain, "the LDIF file", asked)


def _find_directory_refusal(
    domain: Domain, asked: ActiveDirectory, bound: ActiveDirectoryBinding
) -> str | None:
    for controller in asked.controllers:
        if controller not in bound.controllers:
            return _refusal_text(domain, "the controller", controller)
    if asked.tls.verify == "off" and bound.verify == "on":
        return _refusal_text(domain, "the setting", "verify: off")
    if asked.tls.ca and not (bound.ca and _ends_with(bound.ca, asked.tls.ca)):
        return _refusal_text(domain, "the CA", asked.tls.ca)
    if asked.tls.server_name != bound.server_name:
        return _refusal_text(domain, "the server name", asked.tls.server_name)
    if asked.bind.username != bound.username:
        return _refusal_text(domain, "the account", asked.bind.username)
    return None


def _ends_with(path: str, relative: str) -> bool:
    # The tree's path is relative, the host's absolute: the end is what they share.
    end = PurePosixPath(relative).parts
    return PurePosixPath(path).parts[-len(end) :] == end


def _refusal_text(domain: Domain, what: str, value: str | None) -> str:
    return (
        f"This host does not allow {what} {value or '(none)'} for {domain.name}; if it"
        " is meant, add it to bindings.json in the agent's state folder on this host."
    )
