from __future__ import annotations

import pytest
import scim2_models
from scim2_models import EnterpriseUser, Group, Mutability, User

from cloudforest.program.scim.path import ENTERPRISE, MULTI_VALUED_ATTRIBUTES
from cloudforest.program.scim.schema import BOOLEAN_PARTS, get_schemas


@pytest.mark.parametrize(
    ("resource", "schema", "model"),
    [
        ("User", None, User),
        ("User", ENTERPRISE, EnterpriseUser),
        ("Group", None, Group),
    ],
)
def test_attributes_are_those_of_rfc_7643(resource, schema, model):
    """Compare with scim2_models, which keeps `schemas` and `meta` separate."""
    attributes = get_schemas(resource)[schema]
    fields = {each.serialization_alias for each in model.model_fields.values()}
    theirs = {each for each in fields if each and not each.startswith("urn:")}
    assert attributes.keys() - {"schemas"} == theirs - {"schemas"}
    for name, field in model.model_fields.items():
        alias = field.serialization_alias
        if alias not in attributes or alias in {"meta", "schemas", "id", "externalId"}:
            continue
        ours = attributes[alias]
        assert ours.multi_valued is model.get_field_multiplicity(name), alias
        root = model.get_field_root_type(name)
        if issubclass(root, scim2_models.ComplexAttribute) and not ours.read_only:
            parts = {each.serialization_alias for each in root.model_fields.values()}
            assert ours.parts == parts - {"$ref"} or ours.parts == parts, alias
        if ours.boolean:
            assert root is bool
        read_only = model.get_field_annotation(name, Mutability)
        assert ours.read_only is (read_only is Mutability.read_only), alias
    assert attributes.keys() >= (MULTI_VALUED_ATTRIBUTES if model is User else set())
    assert {"primary"} == BOOLEAN_PARTS
