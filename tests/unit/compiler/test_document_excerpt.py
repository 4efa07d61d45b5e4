"""Which lines a diagnostic shows."""

from __future__ import annotations

import pytest

from cloudforest.compiler.document import excerpt_line


@pytest.mark.parametrize(
    "line",
    [
        "  userName: Foo([mail])",
        "  name.givenName: '[passportNumber]'",
        "  title: '[authoritativeName]'",
        "  title: '[secretary]'",
        "  user: pwdLastSet gt 0",
        "organizationalUnits: [OU=Authors]",
    ],
)
def test_line_without_a_secret_and_the_next_one_are_shown(line):
    text = f"{line}\n  title: Foo([title])\n"
    assert excerpt_line(text, 3) == line
    assert excerpt_line(text, len(line) + 3) == "  title: Foo([title])"


@pytest.mark.parametrize(
    "line",
    [
        "password: x",
        "Pasword: x",
        "bindpw: x",
        "passwd: x",
        "passphrase: x",
        "clientSecret: x",
        "api_key: x",
        "apiKeys: [x]",
        "access-token: x",
        "oauth: x",
        "Authorization: x",
        "basic: {username: a}",
        "scim: https://a:b@c",
        "scim: https://c?sig=x",
        "nickName: {constant: x, sensitive: true}",
    ],
)
def test_line_that_may_hold_a_secret_and_the_next_one_are_hidden(line):
    text = f"{line}\n  x: y\n"
    assert excerpt_line(text, 3) is None
    assert excerpt_line(text, len(line) + 3) is None


def test_user_name_is_hidden_only_among_credentials():
    text = "username: me\n"
    assert excerpt_line(text, 0, ("attributeMappings", "username")) == "username: me"
    assert excerpt_line(text, 0, ("auth", "basic", "username")) is None
