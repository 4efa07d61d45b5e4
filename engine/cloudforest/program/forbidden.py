"""Attributes that hold secrets: never asked of a directory, whatever a mapping says."""

from __future__ import annotations

FORBIDDEN = frozenset(
    {
        # passwords and their hashes
        "clearpassword",
        "dbcspwd",
        "krbprincipalkey",
        "lmpwdhistory",
        "ms-mcs-admpwd",
        "ms-mcs-admpwdhistory",
        "msds-executescriptpassword",
        "msds-managedpassword",
        "mssfu30password",
        "ntpwdhistory",
        "orclcommonattribute",
        "sambalmpassword",
        "sambantpassword",
        "sambapasswordhistory",
        "supplementalcredentials",
        "unicodepwd",
        "unixuserpassword",
        "userpassword",
        # local administrator passwords (Windows LAPS)
        "mslaps-encrypteddsrmpassword",
        "mslaps-encrypteddsrmpasswordhistory",
        "mslaps-encryptedpassword",
        "mslaps-encryptedpasswordhistory",
        "mslaps-password",
        # disk and TPM recovery
        "msfve-keypackage",
        "msfve-recoverypassword",
        "mstpm-ownerinformation",
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
        "mspkiaccountcredentials",
        "mspkidpapimasterkeys",
        "userpkcs12",
    }
)
PREFIXES = ("mslaps-", "msfve-", "oid.")


def is_forbidden(name: str) -> bool:
    """Tell whether an attribute must not be read.

    Options (`;binary`) don't hide a name. A numeric OID is always forbidden, because a
    directory takes it for the attribute that it stands for (2.5.4.35: userPassword).
    """
    bare = name.partition(";")[0].strip().lower()
    return bare in FORBIDDEN or bare.startswith(PREFIXES) or bare[:1].isdigit()
