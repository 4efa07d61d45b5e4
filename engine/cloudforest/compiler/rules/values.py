"""Values that are allowed in form but not in fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint
from cloudforest.compiler.sugar import seconds
from cloudforest.compiler.tree import Tree
from cloudforest.program.attribute import converted
from cloudforest.program.faults import SyntaxFault, ValueFault

LEAST_INTERVAL = 30
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def intervals_are_long_enough(tree: Tree) -> Iterator[Complaint]:
    for job in tree.of("Job"):
        interval = job.content.get("interval")
        if interval is not None and seconds(interval) < LEAST_INTERVAL:
            message = (
                f'The interval "{interval}" is too short: directories and targets '
                f"need {LEAST_INTERVAL} s between cycles; write 30s or more."
            )
            yield Complaint("interval-too-short", message, job, ("interval",))


def credentials_are_private(tree: Tree) -> Iterator[Complaint]:
    """Refuse plain HTTP, except where nobody else listens: on this machine."""
    for target in tree.of("Target"):
        url = urlsplit(target.content["scim"])
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            message = (
                f'The target "{target.content["scim"]}" is not encrypted: anybody on '
                "the network can read the credential and the people; write https://."
            )
            yield Complaint("plain-http", message, target, ("scim",))


def tls_is_verified(tree: Tree) -> Iterator[Complaint]:
    for forest in tree.of("Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            tls = domain["source"].get("activeDirectory", {}).get("tls", {})
            if tls.get("verify") == "off":
                message = (
                    f'Certificates of "{domain["name"]}" are not verified, so anybody '
                    "on the network can read the bind password; "
                    "name the authority in `ca:` instead."
                )
                path = ("domains", index, "source", "activeDirectory", "tls", "verify")
                yield Complaint(
                    "tls-verification-off", message, forest, path, Severity.WARNING
                )


def defaults_fit(tree: Tree) -> Iterator[Complaint]:
    """Every default value can be converted to the type of its target."""
    for mapping in tree.of("Mapping"):
        entries = mapping.content.get("attributeMappings", {})
        for target, entry in entries.items():
            default = entry.get("defaultValue") if isinstance(entry, dict) else None
            reason = _misfit(target, default)
            if reason is not None:
                message = f'The default value "{default}" does not fit "{target}": '
                path = ("attributeMappings", target, "defaultValue")
                yield Complaint("default-value", message + reason, mapping, path)


def _misfit(target: str, default: Any) -> str | None:
    """Say why a target can't take a default; a path that can't be read says so."""
    try:
        converted(target, default)
    except ValueFault as fault:
        return fault.reason
    except SyntaxFault:
        return None
    return None
