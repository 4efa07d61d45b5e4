"""Which registrations the control plane accepts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.support.renames import job, target, tree

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.api.registration import require_complete
from cloudforest.model.registration import Domain, Forest, Registration, Source


def whole(*nouns) -> Registration:
    domain = Domain(name="contoso.com", source=Source(ldif="a.ldif"))
    return replace(tree(*nouns), forests=(Forest(name="contoso", domains=(domain,)),))


@pytest.mark.parametrize(
    "nouns",
    [
        (target("cloud", formerly="cloud"),),
        (target("cloud"), target("new", formerly="cloud")),
        (target("a", formerly="old"), target("b", formerly="old")),
        (target("cloud"), job("a", formerly="people"), job("b", formerly="people")),
    ],
)
def test_name_shared_by_two_documents_now_or_before_is_refused(nouns):
    with pytest.raises(Misconfigured, match="same name"):
        require_complete(whole(*nouns))


def test_former_name_of_one_document_is_accepted():
    registration = whole(target("cloud", formerly="people"), job("a", formerly="b"))
    assert require_complete(registration) is registration
