"""Secrets are never read, however they are named."""

from __future__ import annotations

import pytest

from cloudforest.model.program import Attribute, Call, Literally, Template
from cloudforest.program.attributes_read import attributes_of, filter_attributes
from cloudforest.program.forbidden import is_forbidden, is_name
from cloudforest.program.scoping.filter_syntax import parse_filter


@pytest.mark.parametrize(
    "name",
    [
        "ms-Mcs-AdmPwd",
        "msLAPS-EncryptedPasswordHistory",
        "msLAPS-SomethingNew",
        "msFVE-RecoveryPassword",
        "msDS-ManagedPassword",
        "unixUserPassword",
        "supplementalCredentials",
        "unicodePwd",
        "userPassword;binary",
        " userpassword ",
        "2.5.4.35",
        "OID.2.5.4.35",
        "ms-Mcs-AdmPwdHistory",
        "msPKIAccountCredentials",
        "msPKI-CredentialRoamingTokens",
        "msTPM-OwnerInformationTemp",
        "ipsecData",
        "msExchUMPinChecksum",
        "sambaClearTextPassword",
        "sambaNTPassword",
        "sambaLMPassword",
    ],
)
def test_a_secret_is_forbidden(name):
    assert is_forbidden(name)


@pytest.mark.parametrize("name", ["mail", "pwdLastSet", "badPwdCount", "msDS-User", ""])
def test_other_attributes_are_not(name):
    assert not is_forbidden(name)


@pytest.mark.parametrize("text", ["*", "+", "", "2.5.4.35", "mail;binary", "a b", "-a"])
def test_what_may_stand_for_several_attributes_is_no_name(text):
    assert not is_name(text)


def test_names_are_names():
    assert is_name("msDS-cloudExtensionAttribute1")


def test_the_attributes_of_an_expression_and_of_a_filter_are_known():
    inner = Call(function="Trim", arguments=(Attribute(name="sn"), None))
    template = Template(text="", reads=("Title",))
    whole = Call(function="Join", arguments=(Literally(value=" "), inner, template))
    assert attributes_of(whole) == {"sn", "title"}
    tree = parse_filter("Mail pr and (not (sn eq 1) or title co 2)")
    assert filter_attributes(tree) == {"mail", "sn", "title"}
