"""Mail that reaches somebody, and nobody else.

The URLs of services lead to hosts that there can be.

What crosses the network in the clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from cloudforest.base.diagnostics import DocumentPath, Severity
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


def mail_is_encrypted(tree: Tree) -> Iterator[Complaint]:
    """Warn of plain SMTP on the network; a password never goes without TLS."""
    for tenant in tree.of("Tenant"):
        mail = tenant.content.get("mail", {})
        if mail.get("tls") != "off":
            continue
        path = ("mail", "tls")
        if "auth" in mail:
            message = (
                "The password of the mail server would be sent without TLS; "
                "write `tls: starttls` or `tls: implicit`, or remove `auth:`."
            )
            yield Complaint("mail-password-in-clear", message, tenant, path)
        elif mail["server"].lower() not in LOOPBACK:
            message = (
                f'Mail goes to "{mail["server"]}" without TLS, so anybody on the '
                "network can read and change it; write `tls: starttls`."
            )
            yield Complaint("plain-mail", message, tenant, path, Severity.WARNING)


def somebody_is_told(tree: Tree) -> Iterator[Complaint]:
    """Addresses need a mail server, and a mail server addresses."""
    told = [
        each
        for each in (*tree.of("Tenant"), *tree.of("Job"))
        if "notify" in each.content
    ]
    for tenant in tree.of("Tenant"):
        if "mail" not in tenant.content:
            yield from (_without_mail(each) for each in told)
        elif not told and tree.whole:
            message = (
                "Nobody is told anything: there is a mail server, and no address; "
                "write `notify:` in the Tenant."
            )
            yield Complaint(
                "mail-without-notify", message, tenant, ("mail",), Severity.WARNING
            )


def _without_mail(document: Document) -> Complaint:
    message = (
        "Nobody is told anything: there are addresses, and no mail server; "
        "write `mail:` in the Tenant."
    )
    path = ("notify",)
    return Complaint("notify-without-mail", message, document, path, Severity.WARNING)
