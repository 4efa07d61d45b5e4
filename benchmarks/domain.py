"""A real domain with many people: Samba AD DC, filled in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.controller import provisioned
from tests.servers.domain import Samba

VARIABLE = "CONTOSO_PASSWORD"
OU = "OU=People"
FILL = """
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

folder, base, people = sys.argv[1:]
lp = LoadParm()
lp.load(f"{folder}/etc/smb.conf")
db = SamDB(
    url=f"{folder}/private/sam.ldb",
    session_info=system_session(lp),
    lp=lp,
    options=["batch_mode:1"],
)
db.transaction_start()
db.add({"dn": f"OU=People,{base}", "objectClass": "organizationalUnit"})
for number in range(int(people)):
    db.add({
        "dn": f"CN=p{number},OU=People,{base}",
        "objectClass": "user",
        "sAMAccountName": f"p{number}",
        "userPrincipalName": f"p{number}@contoso.com",
        "givenName": "Person",
        "sn": f"Number {number}",
        "displayName": f"Person Number {number}",
        "mail": f"p{number}@contoso.com",
        "userAccountControl": "544",
    })
db.transaction_commit()
"""


def person(domain: Samba, number: int) -> str:
    return f"CN=p{number},OU=People,{domain.base}"


def source(domain: Samba) -> str:
    """Return the domain's `source` for a tree."""
    return (
        f"{{activeDirectory: {{controllers: ['{domain.url}'], "
        f"tls: {{ca: '{domain.ca}'}}, "
        f"bind: {{username: '{domain.user}', password: {{env: {VARIABLE}}}}}}}}}"
    )


@contextmanager
def filled(folder: Path, people: int) -> Iterator[Samba]:
    place = folder / "samba"
    place.mkdir()
    with provisioned(place, backend="mdb") as controller:
        controller.samba.locally(FILL, controller.samba.base, str(people))
        yield controller.samba
