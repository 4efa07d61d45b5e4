"""What this host allows: per domain, the controllers, the CA, the account, the file.

Bootstrap carries names only. Otherwise a stolen control plane could send the bind
password of a domain to a server of its own, or read any file or variable as one.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import Value
from cloudforest.model.registration import ActiveDirectory, Domain, SecretReference


class DirectoryBinding(Value, frozen=True):
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


class Binding(Value, frozen=True):
    """Exactly one is set; `ldif` is a file on this host."""

    active_directory: DirectoryBinding | None = None
    ldif: str | None = None


Bindings = dict[str, Binding]
"""Keyed by domain name."""


def load_bindings(path: Path) -> Bindings:
    """Return what the file allows: nothing, if there is no file."""
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=Bindings)
    except (msgspec.MsgspecError, OSError) as error:
        raise Misconfigured(f"{path} can't be read as bindings ({error}).") from error


def dump_bindings(bindings: Bindings) -> bytes:
    return msgspec.json.format(msgspec.json.encode(bindings), indent=2) + b"\n"


def binding_of(domain: Domain, folder: Path) -> Binding:
    """Allow on this host what its own documents say; paths are relative to `folder`."""
    directory = domain.source.active_directory
    if directory is None:
        return Binding(ldif=str((folder / (domain.source.ldif or "")).absolute()))
    return Binding(
        active_directory=DirectoryBinding(
            controllers=directory.controllers,
            username=directory.bind.username,
            password=_absolute(directory.bind.password, folder),
            credential=f"{domain.name}/bind",
            ca=_path(directory.tls.ca, folder),
            server_name=directory.tls.server_name,
            verify=directory.tls.verify,
        )
    )


def _absolute(reference: SecretReference, folder: Path) -> SecretReference:
    return SecretReference(env=reference.env, file=_path(reference.file, folder))


def _path(path: str | None, folder: Path) -> str | None:
    return None if path is None else str((folder / path).absolute())


def check(domain: Domain, credential: str | None, bindings: Bindings) -> str | None:
    """Return why this host refuses what bootstrap sent, naming it; None if allowed."""
    binding = bindings.get(domain.name)
    if binding is None:
        return _refusal(domain, "the domain", domain.name)
    directory = domain.source.active_directory
    if directory is None:
        return _check_ldif(domain, binding)
    if binding.active_directory is None:
        return _refusal(domain, "Active Directory for", domain.name)
    return _check_directory(domain, directory, binding.active_directory) or (
        None
        if credential == binding.active_directory.credential
        else _refusal(domain, "the credential", credential)
    )


def _check_ldif(domain: Domain, binding: Binding) -> str | None:
    asked = domain.source.ldif
    if asked and binding.ldif and _ends_with(binding.ldif, asked):
        return None
    return _refusal(domain, "the LDIF file", asked)


def _check_directory(
    domain: Domain, asked: ActiveDirectory, bound: DirectoryBinding
) -> str | None:
    for controller in asked.controllers:
        if controller not in bound.controllers:
            return _refusal(domain, "the controller", controller)
    if asked.tls.verify == "off" and bound.verify == "on":
        return _refusal(domain, "the setting", "verify: off")
    if asked.tls.ca and not (bound.ca and _ends_with(bound.ca, asked.tls.ca)):
        return _refusal(domain, "the CA", asked.tls.ca)
    if asked.tls.server_name != bound.server_name:
        return _refusal(domain, "the server name", asked.tls.server_name)
    if asked.bind.username != bound.username:
        return _refusal(domain, "the account", asked.bind.username)
    return None


def _ends_with(path: str, relative: str) -> bool:
    # The tree's path is relative, the host's absolute: the end is what they share.
    end = PurePosixPath(relative).parts
    return PurePosixPath(path).parts[-len(end) :] == end


def _refusal(domain: Domain, what: str, value: str | None) -> str:
    return (
        f"This host does not allow {what} {value or '(none)'} for {domain.name}; if it"
        " is meant, add it to bindings.json in the agent's state folder on this host."
    )
