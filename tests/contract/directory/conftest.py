"""The directories under test: one domain on Samba, and its export."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.servers.samba import Contoso, require
from tests.support.ldap import OPENED, over_ldap

from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.model.ports.directory import Directory


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    """Close the directories that a test has opened."""
    yield
    while OPENED:
        await OPENED.pop().close()


@pytest.fixture(scope="session")
def export(contoso: Contoso, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The domain as `ldapsearch` exports it, with folds, comments and referrals."""
    require("ldapsearch")
    folder = tmp_path_factory.mktemp("export")
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(contoso.samba.password)
    samba = contoso.samba
    exported = subprocess.run(
        ["ldapsearch", "-x", "-H", samba.url, "-D", samba.user, "-y", str(secret),
         "-b", samba.base],
        env={**os.environ, "LDAPTLS_CACERT": str(samba.ca)},
        check=True,
        capture_output=True,
    )  # fmt: skip
    path = folder / "contoso.ldif"
    path.write_bytes(exported.stdout)
    return path


@pytest.fixture(params=["ldap", "ldif"])
def directory(request: pytest.FixtureRequest, contoso: Contoso) -> Directory:
    if request.param == "ldap":
        return over_ldap(contoso)
    return LdifDirectory("contoso.com", request.getfixturevalue("export"))
