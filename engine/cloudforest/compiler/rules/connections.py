"""Check connections: valid URLs, encrypted traffic, and mail that reaches somebody."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from cloudforest.compiler.document import Mistakes
from cloudforest.compiler.tree import DocumentTree

_TOKEN_URL = ("auth", "oauth2", "tokenUrl")
_URL_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Tenant": (("service", "url"),),
    "Target": (("scim",), _TOKEN_URL),
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


def check_urls(tree: DocumentTree) -> Mistakes:
    for kind, paths in _URL_PATHS.items():
        for document in tree.documents_of(kind):
            for path in paths:
                written = document.get(*path)
                if isinstance(written, str) and split_url(written) is None:
                    message = (
                        f'"{written}" is not a valid URL. Correct its host or port.'
                    )
                    yield document.error("wrong-format", message, *path)


def _is_plain_http(written: str) -> bool:
    url = split_url(written)
    return (
        url is not None and url.scheme == "http" and url.hostname not in LOOPBACK_HOSTS
    )


def check_credential_encryption(tree: DocumentTree) -> Mistakes:
    for target in tree.documents_of("Target"):
        written = target.content["scim"]
        if _is_plain_http(written):
            message = (
                f'The target "{written}" is not encrypted, so anybody on the network '
                "can read the credentials and the personal data. Write `https://`."
            )
            yield target.error("plain-http", message, "scim")
        elif target.get("auth", "mtls") and not written.startswith("https:"):
            message = (
                f'The target "{written}" does not use TLS, so the client certificate '
                "is never sent. Write `https://`, or use another `auth`."
            )
            yield target.error("plain-http", message, "scim")
        token_url = target.get(*_TOKEN_URL)
        if token_url is not None and _is_plain_http(token_url):
            message = (
                f'The token endpoint "{token_url}" is not encrypted, so anybody on the '
                "network can read the client secret and the tokens. Write `https://`."
            )
            yield target.error("plain-http", message, *_TOKEN_URL)


def check_mail_encryption(tree: DocumentTree) -> Mistakes:
    """Warn of plain SMTP across the network; refuse to send a password without TLS."""
    for tenant in tree.documents_of("Tenant"):
        if tenant.get("mail", "tls") != "off":
            continue
        server = tenant.content["mail"]["server"]
        if tenant.get("mail", "auth") is not None:
            message = (
                "The password of the mail server would be sent without TLS. Write "
                "`tls: starttls` or `tls: implicit`, or remove `auth`."
            )
            yield tenant.error("mail-password-in-clear", message, "mail", "tls")
        elif server.lower() not in LOOPBACK_HOSTS:
            message = (
                f'Mail to "{server}" is sent without TLS, so anybody on the network '
                "can read and change it. Write `tls: starttls`."
            )
            yield tenant.warning("plain-mail", message, "mail", "tls")


def check_notify_addresses(tree: DocumentTree) -> Mistakes:
    """Report addresses without a mail server, and a mail server without addresses."""
    tenants = tree.documents_of("Tenant")
    notified = [
        each
        for each in (*tenants, *tree.documents_of("Job"))
        if "notify" in each.content
    ]
    for tenant in tenants:
        if "mail" not in tenant.content:
            message = (
                "The tree has addresses but no mail server, so nobody is notified. "
                "Write `mail:` in the Tenant."
            )
            for each in notified:
                yield each.warning("notify-without-mail", message, "notify")
        elif not notified and tree.is_well_formed:
            message = (
                "The tree has a mail server but no address, so nobody is notified. "
                "Write `notify:` in the Tenant."
            )
            yield tenant.warning("mail-without-notify", message, "mail")
