"""Members from another domain of the forest, as a Windows controller stores them.

Samba supports one domain per forest and refuses such members. So we write the link
into Samba's own database, with the objectGUID of an object that it does not have (a
phantom, [MS-ADTS] 3.1.1.1.6). Samba decides what it sends of it over LDAP.
"""

from __future__ import annotations

from tests.servers.domain import Samba

WRITE = """
import glob, sys
import ldb

folder, base, group, guid, member = sys.argv[1:]
[file] = [
    each
    for each in glob.glob(f"{folder}/private/sam.ldb.d/*.ldb")
    if each.rpartition("/")[2].lower() == f"{base}.ldb".lower()
]
db = ldb.Ldb(file)
[found] = [each for each in db.search(attrs=["member"]) if str(each.dn) == group]
head = f"<GUID={guid}>;"
held = [each for each in found.get("member", []) if not each.startswith(head.encode())]
if member:
    # As [MS-ADTS] and Samba have it: when, from where, and which version of the link.
    stamps = "<RMD_ADDTIME=134000000000000000>;<RMD_CHANGETIME=134000000000000000>"
    origin = f"<RMD_FLAGS=0>;<RMD_INVOCID={guid}>;<RMD_LOCAL_USN=1>"
    version = "<RMD_ORIGINATING_USN=1>;<RMD_VERSION=1>"
    held.append(f"{head}{stamps};{origin};{version};{member}".encode())
change = ldb.Message()
change.dn = found.dn
change["member"] = ldb.MessageElement(held, ldb.FLAG_MOD_REPLACE, "member")
db.modify(change)
"""


def add_member(samba: Samba, group: str, guid: str, dn: str) -> None:
    """Add an object of another domain as a member."""
    samba.locally(WRITE, samba.base, group, guid, dn)


def remove_member(samba: Samba, group: str, guid: str) -> None:
    samba.locally(WRITE, samba.base, group, guid, "")
