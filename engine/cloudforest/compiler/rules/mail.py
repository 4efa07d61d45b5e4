"""Mail that reaches somebody, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.rules.meaning.encryption import LOOPBACK
from cloudforest.compiler.tree import Tree


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
