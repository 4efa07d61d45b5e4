"""The words that expressions are made of, for those who try nonsense."""

from __future__ import annotations

from cloudforest.program.expressions.catalog import FUNCTIONS, OPERATORS
from cloudforest.program.expressions.tokens import NAMED_CONSTANTS

CALLS = tuple(f"{name}(" for name in FUNCTIONS if name not in OPERATORS)
LITERALS = (
    *('""', '"a"', '"1"', '"d"', '"yyyy-MM-dd HH:mm:ss.fffK"', '"2026-11-23"'),
    *('"(?<g>a+)(b)?"', '"${g}$1"', '"g"', '"(a|aa)+$"', '"[a-z"', '"\\\\d{2,}"'),
    *("0", "1", "-1", "2.5", "&HF", "9223372036854775807", '"SABp"', '"cn=a,ou=b"'),
)
WORDS = (
    *CALLS,
    *LITERALS,
    *sorted(NAMED_CONSTANTS),
    *("[a]", "[b]", "[dn]", "[missing]", "(", ")", ")", ")", ",", ",", ", ,", " "),
    *OPERATORS,
)
