"""Attributes that hold secrets, and are never read, whatever a mapping says."""

from __future__ import annotations

import re

FORBIDDEN_ATTRIBUTES = frozenset(
    {
        # passwords and their hashes
        "clearpassword",
        "dbcspwd",
        "ipsecdata",
        "krbprincipalkey",
        "lmpwdhistory",
        "msds-executescriptpassword",
        "msds-managedpassword",
        "msexchumpinchecksum",
        "mssfu30password",
        "ntpwdhistory",
        "orclcommonattribute",
        "sambacleartextpassword",
        "sambalmpassword",
        "sambantpassword",
        "sambapasswordhistory",
        "sambapreviouscleartextpassword",
        "supplementalcredentials",
        "unicodepwd",
        "unixuserpassword",
        "userpassword",
        # trusts, LSA secrets and the keys of the directory itself
        "currentvalue",
        "initialauthincoming",
        "initialauthoutgoing",
        "mskds-rootkeydata",
        "peklist",
        "priorvalue",
        "trustauthincoming",
        "trustauthoutgoing",
        # private keys of people
        "userpkcs12",
    }
)
FORBIDDEN_PREFIXES = (
    # local administrator passwords (LAPS, and LAPS of Windows)
    "ms-mcs-admpwd",
    "mslaps-",
    # disk and TPM recovery
    "msfve-",
    "mstpm-",
    # credential roaming: keys and passwords of people
    "mspki",
    "oid.",
)
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def is_forbidden(name: str) -> bool:
    """Tell whether an attribute must never be read.

    Options (`;binary`) do not hide a name. A numeric OID is always forbidden, because a
    directory resolves it to an attribute (2.5.4.35: userPassword).
    """
    bare = name.partition(";")[0].strip().lower()
    return (
        bare in FORBIDDEN_ATTRIBUTES
        or bare.startswith(FORBIDDEN_PREFIXES)
        or bare[:1].isdigit()
    )


def is_attribute_name(text: str) -> bool:
    """Tell whether a text names one attribute (RFC 4512, 1.4: keystring).

    `*` and `+` select many attributes (RFC 4511, 4.5.1.8), including secrets. A numeric
    OID may name any attribute.
    """
    return _ATTRIBUTE_NAME.fullmatch(text) is not None
