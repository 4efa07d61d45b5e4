"""What of a scope's filter a controller can decide.

What it finds holds at least the objects that the filter accepts; the agent then applies
the filter itself. So the two together are the filter alone, whatever the controller
takes to be equal: spaces, accents on Windows.

Nothing is asked under `not`: of an object that hides an attribute from the account, we
say that it has none, and a controller may say that nothing is known of it, or judge by
what it hides (measured on Samba).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from cloudforest.adapters.directory.ldap.filters.assertion import assertion
from cloudforest.adapters.directory.ldap.filters.schema import SYNTAX
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath


def pushed(tree: Filter) -> str | None:
    """Return an LDAP filter that holds wherever this one does; None: there is none."""
    match tree:
        case And(operands=operands):
            return _joined("&", [part for part in map(pushed, operands) if part])
        case Or(operands=operands):
            return _joined("|", [pushed(each) for each in operands])
        case Present(attribute=name):
            return _presence(name)
        case Compare():
            return _compared(tree)
        case ValuePath(attribute=name, operand=operand):
            return pushed(_of_a_value(operand, name))
        case Not():
            return None


def _joined(sign: str, parts: Sequence[str | None]) -> str | None:
    asked = [each for each in parts if each is not None]
    if not asked or len(asked) < len(parts):
        return None
    return asked[0] if len(asked) == 1 else f"({sign}{''.join(asked)})"


def _presence(name: str) -> str | None:
    return f"({name}=*)" if name in SYNTAX else None


def _compared(tree: Compare) -> str | None:
    name, is_negated = tree.attribute, tree.operator == "ne"
    if is_negated is not (tree.value is None):
        return None
    syntax = SYNTAX.get(name)
    said = assertion(tree, syntax) if syntax and not is_negated else None
    # Whatever a comparison says, it is false where there is no value.
    return said or _presence(name)


def _of_a_value(tree: Filter, name: str) -> Filter:
    """Return what holds of an attribute, if the tree holds for one of its values."""
    match tree:
        case Compare(operator=operator) if operator != "ne":
            return structs.replace(tree, attribute=name)
        case And(operands=operands) | Or(operands=operands):
            several = tuple(_of_a_value(each, name) for each in operands)
            return structs.replace(tree, operands=several)
        case _:
            return Present(attribute=name)
