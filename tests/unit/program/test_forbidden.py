"""Secrets are never read, however they are named."""

from __future__ import annotations

import pytest

from cloudforest.model.program import Attribute, Call, Constant, Template
from cloudforest.program.attributes_read import (
    find_expression_attributes,
    find_filter_attributes,
)
from cloudforest.program.forbidden import is_attribute_name, is_forbidden
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
    assert not is_attribute_name(text)


def test_names_are_names():
    assert is_attribute_name("msDS-cloudExtensionAttribute1")


def test_the_attributes_of_an_expression_and_of_a_filter_are_known():
    inner = Call(function="Trim", arguments=(Attribute(name="sn"), None))
    template = Template(text="", reads=("Title",))
    whole = Call(function="Join", arguments=(Constant(value=" "), inner, template))
    assert find_expression_attributes(whole) == {"sn", "title"}
    tree = parse_filter("Mail pr and (not (sn eq 1) or title co 2)")
    assert find_filter_attributes(tree) == {"mail", "sn", "title"}
