"""`cloudforest validate` on a tree of 500 documents, valid and invalid."""

from __future__ import annotations

import resource
import subprocess
import time
from pathlib import Path

from benchmarks.installed import COMMAND, LDIF, environment, write_tree

DOCUMENTS = 500
JOB = """\
kind: Scope
name: scope{number}
organizationalUnits: ["OU=Department {number},OU=People,DC=contoso,DC=com"]
filters:
  user: 'employeeType eq "staff" and not (department eq "Contractors")'
---
kind: Mapping
name: mapping{number}
extends: ad-user-to-scim
attributeMappings:
  userName: {{source: "[userPrincipalName]", matchingPriority: 1}}
  displayName: 'Join(" ", [givenName], [sn])'
  preferredLanguage: {{constant: en-US}}
  title: {{template: "{{{{ title | default('') | title }}}}"}}
---
kind: Job
name: job{number}
domain: contoso.com
target: {target}
scope: scope{number}
mappings: [mapping{number}]
interval: 5m
"""


def measure(folder: Path) -> None:
    print(f"validate with {DOCUMENTS} documents")
    for label, target, code in (("valid", "cloud", 0), ("all invalid", "clowd", 1)):
        tree = folder / target
        tree.mkdir()
        write_tree(tree, url="https://scim.example.com", source=LDIF)
        only = (tree / "tree.yaml").read_text().partition("---\nkind: Job")[0]
        (tree / "tree.yaml").write_text(only)
        for number in range(DOCUMENTS // 3 - 1):
            text = JOB.format(number=number, target=target)
            (tree / f"{number}.yaml").write_text(text)
        before, busy = time.perf_counter(), children()
        ran = subprocess.run(
            [COMMAND, "validate"],
            cwd=tree,
            env=environment({}),
            capture_output=True,
            check=False,
        )
        seconds = time.perf_counter() - before
        assert ran.returncode == code, ran
        print(
            f"  {label:14}{seconds:7.1f} s (2 at most), {children() - busy:.1f} s busy"
        )


def children() -> float:
    """Return the processor time of the children so far, without other load."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
