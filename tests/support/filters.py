"""Source objects and clauses for tests of filters."""

from __future__ import annotations

from hypothesis import strategies as st

from cloudforest.model.program import Compare, Present

VALUES = st.text(max_size=4) | st.integers(-9, 9).map(str)
ROWS = st.dictionaries(st.sampled_from("abc"), st.lists(VALUES, max_size=3).map(tuple))
LEAVES = st.builds(
    Compare,
    attribute=st.sampled_from(["a", "B", "c"]),
    operator=st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]),
    value=VALUES | st.integers() | st.floats(allow_nan=False) | st.booleans(),
) | st.builds(Present, attribute=st.sampled_from("abc"))
