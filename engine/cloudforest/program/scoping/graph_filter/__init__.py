"""Scoping filters of Microsoft Graph, and the SCIM filters that mean the same.

Clauses of a group are joined by *and*, groups by *or*. Every comparison of Graph's is
false on a missing attribute, also a negative one; ours are not (`ne` is `not eq`), so
the negative ones are written with `pr`, and an `ne` of ours is two groups there. Graph
compares texts with case, and we, as Active Directory does, without: no conversion can
keep that apart. Sources: Graph's filterClause and filterGroup, and Microsoft's
"Scoping users or groups to be provisioned with scoping filters".
"""

from __future__ import annotations

from cloudforest.program.scoping.graph_filter.clause import GraphClause, Group
from cloudforest.program.scoping.graph_filter.from_graph import filter_of
from cloudforest.program.scoping.graph_filter.to_graph import groups_of

__all__ = ["GraphClause", "Group", "filter_of", "groups_of"]
