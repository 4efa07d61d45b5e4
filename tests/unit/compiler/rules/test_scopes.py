"""Scopes that name a group of another domain."""

from __future__ import annotations

from tests.support.trees import VALID, compiled

LAB = """\
kind: Forest
name: lab
domains: [{name: Lab.contoso.com, source: {ldif: lab.ldif}}]
---
kind: Agent
name: sync02
domains: [lab.contoso.com]
run: remote
---
kind: Agent
name: sync03
domains: [CONTOSO.com, LAB.contoso.com]
run: remote
---
kind: Scope
name: cloud
organizationalUnits: all
groups: ["CN=Cloud,DC=lab,DC=contoso,DC=com"]
---
kind: Job
name: cloud
domain: contoso.com
scope: cloud
mappings: [ad-group-to-scim]
enabled: false
"""


def test_group_of_another_domain_needs_every_agent_to_read_it(tmp_path):
    """Any agent of contoso.com may be asked, but none that only reads lab."""
    reads = "domains: [contoso.com"
    both = VALID.replace(f"{reads}]", f"{reads}, lab.contoso.com]")

    one = compiled(tmp_path, lab=LAB).diagnostics
    none = compiled(tmp_path, **{"0-valid": both, "lab": LAB}).diagnostics

    assert [each.id for each in one] == ["scope-in-another-domain"]
    assert '"sync01"' in one[0].message
    assert none == ()
