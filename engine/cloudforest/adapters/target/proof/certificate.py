"""A client certificate, shown to a target over TLS."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import Secret


@dataclass(frozen=True)
class ClientCertificate:
    """`certificate` is a PEM file with its chain; `key` is the text of one."""

    certificate: Path
    key: Secret


def presenting(credential: ClientCertificate) -> ssl.SSLContext:
    """Return a context that shows the certificate, as its file is now."""
    context = ssl.create_default_context()
    path = credential.certificate
    try:
        with _as_file(credential.key) as key:
            # Without a passphrase of ours, OpenSSL asks for one at the terminal.
            context.load_cert_chain(path, key, password="")
    except ssl.SSLError as error:
        raise Misconfigured(
            f"The client certificate {path} can't be used with its key"
            f" ({error.reason or 'not PEM'}); name PEM files that belong together in"
            " `auth.mtls`, the key without a passphrase."
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"The client certificate {path} can't be read ({error.strerror}); name a"
            " PEM file in `auth.mtls.certificate`."
        ) from error
    return context


@contextmanager
def _as_file(secret: Secret) -> Iterator[str]:
    """Give OpenSSL, which reads files only, one that lies in memory."""
    with os.fdopen(os.memfd_create("key"), "wb") as file:
        file.write(secret.reveal().encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
