"""Files are read up to a limit."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import MAX_BYTES, read_bounded
from cloudforest.base.secrets import read_secret
from cloudforest.model.registration import SecretReference


def test_file_at_its_limit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1234")
    assert read_bounded(file, 4) == b"1234"


def test_file_above_its_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(OSError, match="larger than 1 MiB") as caught:
        read_bounded(file)
    assert caught.value.errno == errno.EFBIG


def test_device_without_end_is_refused_as_secret() -> None:
    with pytest.raises(Misconfigured, match="larger than 1 MiB"):
        read_secret(SecretReference(file="/dev/zero"))
