"""Secrets, read from files and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import read_secret


def test_error_names_a_secret_that_is_not_text_without_its_value(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"Passw0rd\xff")
    for place in ({"env": None, "file": "secret"}, {"env": "SECRET", "file": None}):
        with pytest.raises(Misconfigured, match=r"(?i)secret.*UTF-8") as caught:
            read_secret(
                **place, environment={"SECRET": "Passw0rd\udcff"}, folder=tmp_path
            )
        assert "Passw0rd" not in str(caught.value)
