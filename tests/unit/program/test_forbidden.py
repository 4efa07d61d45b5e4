"""Secrets are never read, however they are spelled."""

from __future__ import annotations

import pytest

from cloudforest.model.program import Attribute, Call, Constant, Template
from cloudforest.program.expressions.analysis import find_expression_attributes
from cloudforest.program.forbidden import is_attribute_name, is_forbidden
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import find_filter_attributes


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
def test_secret_attribute_is_forbidden(name):
    assert is_forbidden(name)


@pytest.mark.parametrize("name", ["mail", "pwdLastSet", "badPwdCount", "msDS-User", ""])
def test_other_attributes_are_allowed(name):
    assert not is_forbidden(name)


@pytest.mark.parametrize("text", ["*", "+", "", "2.5.4.35", "mail;binary", "a b", "-a"])
def test_text_for_several_attributes_is_not_a_name(text):
    assert not is_attribute_name(text)


def test_attribute_names_are_recognized():
    assert is_attribute_name("msDS-cloudExtensionAttribute1")


def test_attributes_of_expressions_and_filters_are_found():
    inner = Call(function="Trim", arguments=(Attribute(name="sn"), None))
    template = Template(text="", reads=("Title",))
    whole = Call(function="Join", arguments=(Constant(value=" "), inner, template))
    assert find_expression_attributes(whole) == {"sn", "title"}
    tree = parse_filter("Mail pr and (not (sn eq 1) or title co 2)")
    assert find_filter_attributes(tree) == {"mail", "sn", "title"}
