"""What is opened: never less safe than either the host or the control plane says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.bindings import domain

from cloudforest.agent.bindings import binding_of
from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import read_secret
from cloudforest.control_plane.directories import open_directory


@pytest.mark.parametrize(
    ("asked", "bound", "verified"),
    [("off", "off", False), ("on", "off", True), ("on", "on", True)],
)
def test_verification_is_off_only_while_both_want_it(
    tmp_path: Path, asked: str, bound: str, *, verified: bool
):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/contoso").write_text("Passw0rd")
    binding = binding_of(domain(verify=bound), tmp_path)

    opened = open_directory(domain(verify=asked), binding, {})

    assert opened._controllers._trust.verify is verified


def test_a_secret_that_is_no_text_is_named_and_not_shown(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"Passw0rd\xff")
    for place in ({"env": None, "file": "secret"}, {"env": "SECRET", "file": None}):
        with pytest.raises(Misconfigured, match=r"(?i)secret.*UTF-8") as caught:
            read_secret(
                **place, environment={"SECRET": "Passw0rd\udcff"}, folder=tmp_path
            )
        assert "Passw0rd" not in str(caught.value)
