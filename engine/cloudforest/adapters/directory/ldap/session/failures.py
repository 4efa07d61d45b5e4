"""What a controller's refusal means, in sentences that name the next step."""

from __future__ import annotations

import re
import ssl

from cloudforest.base.errors import (
    CloudforestError,
    CredentialRejected,
    Misconfigured,
    Rejected,
    Unavailable,
)

INVALID_CREDENTIALS = 49
INSUFFICIENT_RIGHTS = 50
_BUSY = frozenset({51, 52})
_HOSTNAME_MISMATCH = frozenset({62, 64})
# The hexadecimal Win32 code that AD puts into the message of a refused bind.
_BIND_CODE = re.compile(r"\bdata ([0-9a-f]+)")
_BIND_REASONS = {
    "525": "there is no such account",
    "52e": "the user name or the password is wrong",
    "530": "it may not log on at this time",
    "531": "it may not log on from here",
    "532": "its password has expired",
    "533": "it is disabled",
    "701": "it has expired",
    "773": "its password must be changed first",
    "775": "it is locked out",
}


def refused_bind(
    controller: str, account: str, *, code: int, message: str
) -> CloudforestError:
    if code in _BUSY:
        return broken(controller, f"LDAP error {code}")
    found = _BIND_CODE.search(message)
    reason = _BIND_REASONS.get(found[1] if found else "")
    if reason is None and code == INVALID_CREDENTIALS:
        reason = "the user name or the password is wrong"
    return CredentialRejected(
        f"The domain controller {controller} refused the account {account}: "
        f"{reason or f'LDAP error {code}'}. Correct the account or the credential that "
        "its bind names."
    )


def unverified(
    controller: str, server_name: str, error: ssl.SSLCertVerificationError
) -> Misconfigured:
    if error.verify_code in _HOSTNAME_MISMATCH:
        return Misconfigured(
            f"The certificate of the domain controller {controller} is not valid for "
            f"the name {server_name}. Use a name that the certificate holds in "
            "controllers, or set tls.serverName to one."
        )
    return Misconfigured(
        f"The certificate of the domain controller {controller} is not trusted "
        f"({error.verify_message}). Put the certificate of the authority that issued "
        "it into the file named by tls.ca."
    )


def unreachable(controller: str, reason: str) -> Unavailable:
    return Unavailable(
        f"The domain controller {controller} can't be reached ({reason}). Check its "
        "name, that it runs, and that TCP port 636 is open from this host."
    )


def broken(controller: str, reason: str) -> Unavailable:
    return Unavailable(
        f"The domain controller {controller} stopped answering ({reason}). What it "
        "sent before is not used alone; the read is made again."
    )


def refused_search(
    controller: str, account: str, *, code: int, message: str
) -> CloudforestError:
    if code in _BUSY:
        return broken(controller, f"LDAP error {code}")
    if code == INSUFFICIENT_RIGHTS:
        return Rejected(
            f"The domain controller {controller} does not let the account {account} "
            "read the domain. Grant it Replicating Directory Changes on the domain."
        )
    return Rejected(
        f"The domain controller {controller} refused a search by the account {account} "
        f"(LDAP error {code}: {message.strip() or 'no reason given'})."
    )


def all_failed(domain: str, failures: list[CloudforestError]) -> CloudforestError:
    """Return one error for several controllers; a lone failure speaks for itself."""
    if len(failures) == 1:
        return failures[0]
    sentences = " ".join(str(each) for each in failures)
    kind = (
        Misconfigured
        if all(isinstance(each, Misconfigured) for each in failures)
        else Unavailable
    )
    return kind(f"No domain controller of {domain} could be used. {sentences}")
