"""Secrets, read from files and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import read_secret
from cloudforest.model.registration import SecretReference


def test_error_names_a_secret_that_is_not_text_without_its_value(
    tmp_path: Path, monkeypatch
):
    secret = tmp_path / "secret"
    secret.write_bytes(b"Passw0rd\xff")
    monkeypatch.setenv("SECRET", "Passw0rd\udcff")
    for reference in (SecretReference(file="secret"), SecretReference(env="SECRET")):
        with pytest.raises(Misconfigured, match=r"(?i)secret.*UTF-8") as caught:
            read_secret(reference, tmp_path)
        assert "Passw0rd" not in str(caught.value)
