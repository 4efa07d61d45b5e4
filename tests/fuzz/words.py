"""The words of expressions and filters, for random texts."""

from __future__ import annotations

from cloudforest.program.expressions.catalog import FUNCTIONS, OPERATORS
from cloudforest.program.expressions.syntax import NAMED_CONSTANTS

CALLS = tuple(f"{name}(" for name in FUNCTIONS if name not in OPERATORS)
LITERALS = (
    *('""', '" "', '"a"', '"1"', '"d"', '"yyyy-MM-dd HH:mm:ss.fffK"', '"2026-11-23"'),
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

FILTER_NAMES = ("title", "othermailbox", "useraccountcontrol", "whencreated", "mail")
"""A text, several texts, a number, a date, and a case-exact attribute."""
COMPARISONS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "has")
FILTER_LITERALS = (
    *('"a"', '"A"', '""', r'"\""', r'"\u00e9"', '"Straße"', '"*"', '"(a)"', "null"),
    *("true", "false", "0", "2", "-1", "1.5", "1e3", "9223372036854775807", '"514"'),
    *('"2026-11-23T12:00:00Z"', '"20261123120000.0Z"', '"133000000000000000"'),
)
FILTER_WORDS = (
    *FILTER_NAMES,
    *(f" {each} " for each in COMPARISONS),
    *FILTER_LITERALS,
    *("01", "5.", "1E400", '"unclosed', ";binary", '"2026-11-23T12:00Z"', "manager"),
    *(" pr", " and ", " or ", "not (", "not", "(", ")", "[", "]", "value", " ", ".b"),
    "urn:ietf:params:scim:schemas:core:2.0:User:",
)
