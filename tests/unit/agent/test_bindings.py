from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.support.bindings import NAME, domain

from cloudforest.agent.bindings import (
    encode_host_bindings,
    find_refusal,
    load_host_bindings,
    make_host_binding,
)
from cloudforest.base.errors import Misconfigured
from cloudforest.model.registration import (
    Bind,
    Domain,
    SecretReference,
    Source,
)

CREDENTIAL = "contoso.com/bind"


def bound(allowed: Domain) -> dict:
    return {NAME: make_host_binding(allowed, Path("/tree"))}


def test_settings_of_the_hosts_own_documents_are_allowed():
    assert find_refusal(domain(), CREDENTIAL, bound(domain())) is None


def test_fewer_controllers_than_allowed_are_allowed():
    fewer = domain(controllers=("ldaps://dc2.contoso.com",))
    assert find_refusal(fewer, CREDENTIAL, bound(domain())) is None


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (domain(controllers=("ldaps://evil.example",)), "ldaps://evil.example"),
        (domain(ca="certs/evil.pem"), "certs/evil.pem"),
        (domain(verify="off"), "verify: off"),
        (domain(server_name="evil.example"), "evil.example"),
        (
            domain(bind=Bind(username="admin", password=SecretReference())),
            'the account "admin"',
        ),
        (Domain(name=NAME, source=Source(ldif="/etc/shadow")), "/etc/shadow"),
    ],
    ids=["controller", "ca", "verify", "server name", "account", "ldif"],
)
def test_refusal_names_the_setting_that_the_host_does_not_allow(sent, named):
    refusal = find_refusal(sent, CREDENTIAL, bound(domain()))
    assert named in refusal
    assert "add it to bindings.json" in refusal


@pytest.mark.parametrize("credential", [None, "fabrikam.com/bind"])
def test_another_credential_is_refused(credential):
    assert "the credential" in find_refusal(domain(), credential, bound(domain()))


def test_domain_without_binding_is_refused():
    assert 'the domain "contoso.com"' in find_refusal(domain(), CREDENTIAL, {})


def test_verify_on_is_allowed_if_the_host_allows_off():
    assert find_refusal(domain(), CREDENTIAL, bound(domain(verify="off"))) is None


def test_ldif_file_is_matched_by_its_path_in_the_tree():
    lab = Domain(name="lab.test", source=Source(ldif="data/lab.ldif"))
    allowed = {"lab.test": make_host_binding(lab, Path("/tree"))}
    other = Domain(name="lab.test", source=Source(ldif="data/other.ldif"))
    assert find_refusal(lab, None, allowed) is None
    assert "data/other.ldif" in find_refusal(other, None, allowed)


def test_bindings_are_unchanged_after_writing_and_loading(tmp_path):
    path = tmp_path / "bindings.json"
    path.write_bytes(encode_host_bindings(bound(domain())))
    assert load_host_bindings(path) == bound(domain())
    written = msgspec.json.decode(path.read_bytes())
    assert written[NAME]["activeDirectory"]["password"]["file"] == (
        "/tree/secrets/contoso"
    )


def test_missing_bindings_file_allows_nothing(tmp_path):
    assert load_host_bindings(tmp_path / "bindings.json") == {}


def test_error_names_the_broken_bindings_file(tmp_path):
    path = tmp_path / "bindings.json"
    path.write_text('{"contoso.com": {"activDirectory": {}}}')
    with pytest.raises(Misconfigured, match=r"bindings\.json.*activDirectory"):
        load_host_bindings(path)
