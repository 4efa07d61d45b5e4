"""Who runs a command on this machine, for the audit."""

from __future__ import annotations

import os
import pwd


def os_user() -> str:
    """Return the name of the account, or its number where it has none."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
