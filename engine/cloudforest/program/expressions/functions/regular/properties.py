"""The properties of characters that .NET knows: categories and blocks of Unicode."""

from __future__ import annotations

from cloudforest.program.expressions.functions.regular.refusals import PatternFault

_CATEGORIES = frozenset(
    (
        *("L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl"),
        *("No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk"),
        *("So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn"),
    )
)


def property_of(name: str, offset: int) -> str:
    """Return the name that `regex` gives to a property of .NET's.

    Without this, `IsGreek` would be a script and not the block. Raises PatternFault.
    """
    if name in _CATEGORIES:
        return name
    if name.startswith("Is"):
        return f"In{name.removeprefix('Is')}"
    raise PatternFault(
        r"\p{…} names a category, such as Lu, or a block, such as IsCyrillic.", offset
    )
