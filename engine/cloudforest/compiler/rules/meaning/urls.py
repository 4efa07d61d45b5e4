"""The URLs of services lead to hosts that there can be."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree

_URLS: dict[str, tuple[DocumentPath, ...]] = {
    "Tenant": (("service", "url"),),
    "Target": (("scim",), ("auth", "oauth2", "tokenUrl")),
}


def parts_of(url: str) -> SplitResult | None:
    """Take a URL apart; None where no host can have it, though it looks like one."""
    try:
        parts = urlsplit(url)
        is_possible = parts.port != 0
    except ValueError:
        return None
    return parts if is_possible else None


def urls_lead_to_hosts(tree: Tree) -> Iterator[Complaint]:
    for kind, paths in _URLS.items():
        for document in tree.of(kind):
            for path in paths:
                written = _at(document, path)
                if written is not None and parts_of(written) is None:
                    message = (
                        f'No host can be reached at "{written}"; correct its name,'
                        " address or port."
                    )
                    yield Complaint("wrong-format", message, document, path)


def _at(document: Document, path: DocumentPath) -> str | None:
    node: object = document.content
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, str) else None
