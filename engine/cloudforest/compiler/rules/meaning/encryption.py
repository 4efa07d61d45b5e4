"""What crosses the network in the clear."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.rules.meaning.urls import parts_of
from cloudforest.compiler.tree import Tree

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Where nobody else listens: on this machine."""


def credentials_are_private(tree: Tree) -> Iterator[Complaint]:
    for target in tree.of("Target"):
        yield from _service(target)
        yield from _token_endpoint(target)


def _service(target: Document) -> Iterator[Complaint]:
    written, auth = target.content["scim"], target.content.get("auth", {})
    if _is_plain(written):
        message = (
            f'The target "{written}" is not encrypted: anybody on the network can read'
            " the credential and the people; write https://."
        )
        yield Complaint("plain-http", message, target, ("scim",))
    elif "mtls" in auth and not written.startswith("https:"):
        message = (
            f'The target "{written}" is asked without TLS, so no certificate is shown;'
            " write https://, or another `auth`."
        )
        yield Complaint("plain-http", message, target, ("scim",))


def _token_endpoint(target: Document) -> Iterator[Complaint]:
    written = target.content.get("auth", {}).get("oauth2", {}).get("tokenUrl", "")
    if _is_plain(written):
        message = (
            f'The token endpoint "{written}" is not encrypted: anybody on the network'
            " can read the client's secret and its tokens; write https://."
        )
        yield Complaint("plain-http", message, target, ("auth", "oauth2", "tokenUrl"))


def _is_plain(written: str) -> bool:
    url = parts_of(written)
    return url is not None and url.scheme == "http" and url.hostname not in LOOPBACK
