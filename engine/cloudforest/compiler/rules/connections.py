"""Check connections: valid URLs, encrypted traffic, and mail that reaches somebody."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Document, Mistake, Mistakes
from cloudforest.compiler.tree import DocumentTree

_URL_PATHS: dict[str, tuple[DocumentPath, ...]] = {
    "Tenant": (("service", "url"),),
    "Target": (("scim",), ("auth", "oauth2", "tokenUrl")),
}
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
"""Traffic to them does not leave this machine."""


def split_url(url: str) -> SplitResult | None:
    """Split a URL; None where its host or port is impossible."""
    try:
        parts = urlsplit(url)
        is_possible = parts.port != 0
    except ValueError:
        return None
    return parts if is_possible else None


def _get_text_at(document: Document, path: DocumentPath) -> str | None:
    node: object = document.content
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, str) else None


def check_urls(tree: DocumentTree) -> Mistakes:
    for kind, paths in _URL_PATHS.items():
        for document in tree.documents_of(kind):
            for path in paths:
                written = _get_text_at(document, path)
                if written is not None and split_url(written) is None:
                    message = (
                        f'"{written}" is not a valid URL. Correct its host or port.'
                    )
                    yield document.error("wrong-format", message, *path)


def _is_plain_http(written: str) -> bool:
    url = split_url(written)
    return (
        url is not None and url.scheme == "http" and url.hostname not in LOOPBACK_HOSTS
    )


def _check_service(target: Document) -> Mistakes:
    written, auth = target.content["scim"], target.content.get("auth", {})
    if _is_plain_http(written):
        message = (
            f'The target "{written}" is not encrypted, so anybody on the network can '
            "read the credentials and the personal data. Write `https://`."
        )
        yield target.error("plain-http", message, "scim")
    elif "mtls" in auth and not written.startswith("https:"):
        message = (
            f'The target "{written}" does not use TLS, so the client certificate is '
            "never sent. Write `https://`, or use another `auth`."
        )
        yield target.error("plain-http", message, "scim")


def _check_token_endpoint(target: Document) -> Mistakes:
    written = target.content.get("auth", {}).get("oauth2", {}).get("tokenUrl", "")
    if _is_plain_http(written):
        message = (
            f'The token endpoint "{written}" is not encrypted, so anybody on the '
            "network can read the client secret and the tokens. Write `https://`."
        )
        yield target.error("plain-http", message, "auth", "oauth2", "tokenUrl")


def check_credential_encryption(tree: DocumentTree) -> Mistakes:
    for target in tree.documents_of("Target"):
        yield from _check_service(target)
        yield from _check_token_endpoint(target)


def check_mail_encryption(tree: DocumentTree) -> Mistakes:
    """Warn of plain SMTP across the network; refuse to send a password without TLS."""
    for tenant in tree.documents_of("Tenant"):
        mail = tenant.content.get("mail", {})
        if mail.get("tls") != "off":
            continue
        path = ("mail", "tls")
        if "auth" in mail:
            message = (
                "The password of the mail server would be sent without TLS. Write "
                "`tls: starttls` or `tls: implicit`, or remove `auth`."
            )
            yield tenant.error("mail-password-in-clear", message, *path)
        elif mail["server"].lower() not in LOOPBACK_HOSTS:
            message = (
                f'Mail to "{mail["server"]}" is sent without TLS, so anybody on the '
                "network can read and change it. Write `tls: starttls`."
            )
            yield tenant.warning("plain-mail", message, *path)


def _make_notify_without_mail(document: Document) -> Mistake:
    message = (
        "The tree has addresses but no mail server, so nobody is notified. Write "
        "`mail:` in the Tenant."
    )
    return document.warning("notify-without-mail", message, "notify")


def check_notify_addresses(tree: DocumentTree) -> Mistakes:
    """Report addresses without a mail server, and a mail server without addresses."""
    notified = [
        each
        for each in (*tree.documents_of("Tenant"), *tree.documents_of("Job"))
        if "notify" in each.content
    ]
    for tenant in tree.documents_of("Tenant"):
        if "mail" not in tenant.content:
            yield from (_make_notify_without_mail(each) for each in notified)
        elif not notified and tree.is_well_formed:
            message = (
                "The tree has a mail server but no address, so nobody is notified. "
                "Write `notify:` in the Tenant."
            )
            yield tenant.warning("mail-without-notify", message, "mail")
