"""A blocked job sends mail: the installed command, a real mail server."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.servers.mail import PASSWORD, USERNAME, MailServer
from tests.support.canaries import assert_nowhere
from tests.support.installed import Installed, descendants, eventually, write_tree

VARIABLE = "SMTP_PASSWORD"
ROOT = """\
dn: DC=contoso,DC=com
objectClass: domainDNS
objectGUID:: AAAAAAAAAAAAAAAAAAAAAA==
"""
PERSON = """
dn: CN={name},DC=contoso,DC=com
objectClass: user
objectGUID:: AAAAAAAAAAAAAAAAAAAA{number}Q==
name: {name}
userPrincipalName: {name}@contoso.com
"""
PEOPLE = ("Anna", "Ben", "Cleo")
COMMANDS = (
    ("plan", "--out", "plan.json", "--format", "markdown"),
    ("status", "--format", "json"),
    ("logs", "--job", "people"),
    ("job", "staged", "people"),
    ("job", "escrow", "people"),
    ("job", "restart", "people"),
    ("explain", "people", "userPrincipalName=Anna@contoso.com"),
    ("provision", "people", "userPrincipalName=Anna@contoso.com"),
)
"""Commands that know the password of the mail server. None may show it."""


def write_people(tree: Path, number: int) -> None:
    """Write the first `number` people as a complete export."""
    people = [
        PERSON.format(name=name, number="ABC"[index])
        for index, name in enumerate(PEOPLE[:number])
    ]
    (tree / "contoso.ldif").write_text(
        ROOT + "".join(people) + f"\n# numEntries: {number + 1}\n"
    )


def with_mail(tree: Path, server: MailServer) -> None:
    """Add the mail server to the Tenant, and its CA as a path in the tree."""
    shutil.copy(server.certificates.ca, tree / "mail-ca.pem")
    file = tree / "tree.yaml"
    mail = (
        f"notify: [it@contoso.com]\nmail: {{server: localhost, port: {server.port}, "
        f"ca: mail-ca.pem, from: cloudforest@contoso.com, "
        f"auth: {{username: {USERNAME}, password: {{env: {VARIABLE}}}}}}}\n---"
    )
    file.write_text(file.read_text().replace("---", mail, 1))


def notices(installed: Installed) -> list[Any]:
    """Return the stored notices."""
    with contextlib.closing(sqlite3.connect(installed.state / "cloudforest.db")) as db:
        return db.execute("SELECT kind, name FROM notice").fetchall()


def shown_by(pid: int) -> list[str]:
    """Return the arguments and environments of the children of a process."""
    children = descendants(pid)
    environments = [Path(f"/proc/{each}/environ").read_text() for each in children]
    return [*(" ".join(words) for words in children.values()), *environments]


def test_blocked_job_sends_one_mail(
    tmp_path: Path, mail_server: Callable[..., MailServer]
) -> None:
    tree = tmp_path / "tree"
    write_tree(
        tree,
        source="{ldif: contoso.ldif}",
        target="scim: embedded",
        scope="organizationalUnits: all",
        more="guard: {creates: {max: 1}}\nnotify: [people-team@contoso.com]",
    )
    server = mail_server()
    with_mail(tree, server)
    write_people(tree, 1)
    wrong = Installed(tree, {VARIABLE: "canary-wrong-password"})
    right = replace(wrong, variables={VARIABLE: PASSWORD})
    right.up_once()
    write_people(tree, 3)

    failed = wrong("up", "--once", "--format", "json")

    assert failed.code == 3, failed
    assert "rejected our credentials (535)" in failed.err
    assert "canary" not in failed.out + failed.err
    assert server.letters == []

    with right.running("up") as process:
        eventually(lambda: notices(right), "the mail")
        shown = shown_by(process.pid)
    again = right("up", "--once", "--format", "json")

    assert again.code == 3, again
    [letter] = server.letters
    assert letter.recipients == ["people-team@contoso.com"]
    assert letter.encrypted
    assert "Job people is blocked by a guard" in letter.message["Subject"]
    assert "cloudforest job staged people" in letter.part("plain")
    text = letter.part("plain") + letter.part("html")
    assert not [name for name in PEOPLE if name in text]
    said = [again, *(right(*words) for words in COMMANDS)]
    assert [each for each in said if each.code not in {0, 3, 4}] == []
    assert not [each for each in (*shown, *map(str, said)) if PASSWORD in each]
    assert_nowhere(tmp_path, PASSWORD, "canary-wrong-password")
