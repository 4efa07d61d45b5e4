"""What an agent's host allows per domain: controllers, CA, account, LDIF file.

Bootstrap carries only names. Otherwise a stolen control plane could send a domain's
bind password to its own server, or read any file or variable as a password.
"""

from __future__ import annotations

from collections.abc import Iterator
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
        return HostBinding(ldif=_absolute_path(domain.source.ldif or "", folder))
    password = directory.bind.password
    return HostBinding(
        active_directory=ActiveDirectoryBinding(
            controllers=directory.controllers,
            username=directory.bind.username,
            password=SecretReference(
                env=password.env, file=_absolute_path(password.file, folder)
            ),
            credential=f"{domain.name}/bind",
            ca=_absolute_path(directory.tls.ca, folder),
            server_name=directory.tls.server_name,
            verify=directory.tls.verify,
        )
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
    requested, bound = domain.source.active_directory, binding.active_directory
    if requested is None:
        ldif = domain.source.ldif
        is_allowed = ldif and binding.ldif and _ends_with(binding.ldif, ldif)
        return None if is_allowed else _refusal_text("the LDIF file", ldif, domain)
    if bound is None:
        return _refusal_text("Active Directory as the source of", domain.name)
    refused = next(_find_differences(requested, bound, credential), None)
    return refused and _refusal_text(*refused, domain)


def _find_differences(
    requested: ActiveDirectory, bound: ActiveDirectoryBinding, credential: str | None
) -> Iterator[tuple[str, str | None]]:
    """Yield each setting that the host does not allow, and its value."""
    for controller in requested.controllers:
        if controller not in bound.controllers:
            yield "the controller", controller
    tls, username = requested.tls, requested.bind.username
    if tls.verify == "off" and bound.verify == "on":
        yield "the setting", "verify: off"
    if tls.ca and not (bound.ca and _ends_with(bound.ca, tls.ca)):
        yield "the CA", tls.ca
    if tls.server_name != bound.server_name:
        yield "the server name", tls.server_name
    if username != bound.username:
        yield "the account", username
    if credential != bound.credential:
        yield "the credential", credential


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
