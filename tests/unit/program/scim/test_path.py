from __future__ import annotations

import pytest

from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scim.path import canonical_path

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
WORK = 'emails[type eq "work"].value'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("username", "userName"),
        ("name.givenname", "name.givenName"),
        (" title ", "title"),
        ('emails[ type  EQ "work" ].value', WORK),
        ("emails[primary eq true].value", "emails[primary eq true].value"),
        ("enterprise:department", f"{URN}:department"),
        (f"{URN.upper().replace('URN', 'urn')}:Department", f"{URN}:department"),
        ("manager", f"{URN}:manager"),
        ("enterprise:manager.value", f"{URN}:manager"),
        ("enterprise:manager.displayName", f"{URN}:manager.displayName"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", "userName"),
        (
            "urn:contoso:2.0:User:costCenter.Code",
            "urn:contoso:2.0:User:costCenter.Code",
        ),
        (
            'urn:contoso:2.0:User:tags[kind eq "é\\"x"].v',
            'urn:contoso:2.0:User:tags[kind eq "é\\"x"].v',
        ),
        ("roles", "roles"),
        ("favouriteColour", "favouriteColour"),
    ],
)
def test_path_has_one_spelling(text, path):
    assert canonical_path(text) == path
    assert canonical_path(path) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name.",
        "name.given.name",
        "name given",
        "emails.value",
        'emails[type eq "work"]',
        'emails[type eq "work"].type',
        'emails[type ne "work"].value',
        'emails[type eq "\\x"].value',
        "emails[type eq work].value",
        "x" * 501,
    ],
)
def test_invalid_path_is_refused(text):
    with pytest.raises(SyntaxFault):
        canonical_path(text)
