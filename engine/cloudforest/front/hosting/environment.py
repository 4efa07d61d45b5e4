"""What a child may see of our environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudforest.agent.bindings import Binding

_ALWAYS = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that say nothing about anybody and change how a process runs at all."""


def environment_for(
    bindings: Iterable[Binding], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that a child may see: its own documents' and a few more."""
    named = {
        each.active_directory.password.env
        for each in bindings
        if each.active_directory is not None
    }
    return {
        name: environment[name]
        for name in (*_ALWAYS, *named)
        if name is not None and name in environment
    }
