"""A directory is opened as safely as the host and the control plane require."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.bindings import domain

from cloudforest.agent.bindings import make_host_binding
from cloudforest.control_plane.directories import open_directory


@pytest.mark.parametrize(
    ("requested", "bound", "verified"),
    [("off", "off", False), ("on", "off", True), ("on", "on", True)],
)
def test_verification_is_off_only_if_both_sides_turn_it_off(
    tmp_path: Path, requested: str, bound: str, *, verified: bool
):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/contoso").write_text("Passw0rd")
    binding = make_host_binding(domain(verify=bound), tmp_path)

    opened = open_directory(domain(verify=requested), binding)

    assert opened._controllers.verify is verified
