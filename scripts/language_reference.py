"""Writes docs/language.md from the JSON Schemas and the code of the small languages.

`python scripts/language_reference.py > docs/language.md`; a test compares the two.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cloudforest.program.expressions.catalog import entries
from cloudforest.program.expressions.templates import (
    FILTERS,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_NAMES,
    MAX_VALUE,
    TESTS,
)

SCHEMAS = Path(__file__).parents[1] / "schemas"
KINDS = ("tenant", "target", "forest", "agent", "scope", "mapping", "job", "example")
HEAD = """\
# Language reference

Made by `scripts/language_reference.py` from the JSON Schemas and the functions' table.
The rules that a schema can't say are in [diagnostics.md](diagnostics.md).

A tree is a folder; every `*.yaml` and `*.yml` below it is read, names that begin with a
dot excepted. A file may hold several documents, separated by `---`. Unknown keys,
duplicate keys, aliases and empty lists are errors. Paths are relative to the document.
Durations are a number with `s`, `m`, `h` or `d`.
"""
SCOPING = """\
## Filters

A filter is a SCIM filter (RFC 7644, 3.4.2.2) over the attributes of the directory, such
as `employeeType eq "staff" and not (department co "Temp")`. `not` binds tighter than
`and`, `and` tighter than `or`; parentheses group. At most 50 deep, 10,000 characters.

| operator | holds where |
|---|---|
| `eq`, `ne` | a value is equal; `ne` is `not eq`: no value is |
| `co`, `sw`, `ew` | a value contains, begins or ends with the text |
| `gt`, `ge`, `lt`, `le` | a value is greater, or less (or equal) |
| `pr` | there is a value; `eq null` is the opposite |
| `has` | all bits of a number are set (our extension): `userAccountControl has 2` |
| `a[…]` | one value meets all that is said in the brackets, where it is \
called `value`: `proxyAddresses[value sw "SMTP:" and value ew "@contoso.com"]` |

- **Values** are JSON: `"text"` with its escapes, numbers, `true`, `false`, `null`.
- **Case**: texts compare without case; attributes of IA5, printable and octet syntax
  (`loginShell`, `memberUid`, `unixHomeDirectory` …) with case, as in Active Directory.
- **Several values**: any of them is enough.
- **Missing attributes**: a comparison is false, so `not (x eq "y")` and `x ne "y"`
  hold.
- **Numbers** compare as numbers: `employeeID eq 7` finds `007`, `employeeID eq "7"`
  does not. What is no number is not equal to one, nor greater or less. A number in
  quotes is ordered as a number among numbers, and as a text among texts.
- **Dates** are `2026-01-31`, `2026-01-31T08:00Z` or `2026-01-31T08:00:00+01:00`
  (without a zone: UTC). They compare as moments with generalized times (`whenCreated`),
  FILETIMEs (`lastLogonTimestamp`, `accountExpires`) and dates written as text. With
  these attributes nothing else compares, but a FILETIME with a FILETIME; no other text
  is before or after a date. A FILETIME of 0
  or 9223372036854775807 means never: no date equals it, comes before it, or after.
- **References** (`manager`, `memberOf`) hold the objectGUID of the other object.
- **Names**: `dn` and `distinguishedName` are what the directory calls the object, also
  in an export, and compare as texts; `organizationalUnits` and `except` compare names
  as names. There is no `sourceAnchor`: write `mS-DS-ConsistencyGuid` or `objectGUID`.
"""
EXPRESSIONS = """\
## Expressions

`[name]` is an attribute of the directory object, all of its values if there are
several; `"text"` is text, with a backslash before a quote or a backslash; numbers may
be negative, hexadecimal (`&HF`) or in quotes; functions nest, and an optional argument
may be left empty. Conditions compare with `=`, `<>`, `>`, `>=`, `<`, `<=`; `&` joins
text. Computed attributes: `[sourceAnchor]`, `[objectGUID]`, `[dn]`. Booleans are the
texts `True` and `False`. An expression has at most 10,000 characters, is nested at most
50 deep, and makes at most 1,048,576 characters of an object.

The same table is `cloudforest expression functions`; `cloudforest expression eval` and
`expression explain` try an expression offline. What is in brackets is optional, and …
means that the arguments that can repeat come again.

| function | gives | what it is for |
|---|---|---|
"""
RULES = """
### Where Microsoft's pages leave it open, or contradict one another

The page of cloud sync (*reference-expressions*) decides against the page of app
provisioning; an example that can be evaluated decides against the text beside it.

- **Null**: a function of a text gives null for null, except `Left`, `Mid`, `Word`
  (the empty text) and `Len`, `Count`, `InStr`, `Contains` (0). `Join` skips what is
  empty. A comparison in which a source is null or empty does not hold, `<>` included:
  use `IsPresent`, or `Switch` with the key `""`. Only `""` as it is written compares as
  the empty text; a call that gives it for every object, as `Trim(" ")`, does not.
- **IsPresent, IsNull, IsNullOrEmpty** are conditions of `IIF`, as the page of cloud
  sync shows, but never the source of `Switch`.
- **Coalesce** passes over empty texts as well as nulls; the last argument is taken as
  it is.
- **Replace** with a group name and another attribute gives the source where it has a
  value, and else the group's text in the other attribute (the example decides).
- **Replace** takes regular expressions of .NET. Refused, with the reason and the place:
  balancing groups, groups named by numbers, subtraction of character classes, the flag
  `n`, flags for all of a pattern that do not stand at its beginning, repeats too
  large to be written out, and conditions other than a group or a look-around; and what
  .NET itself does not have, such as recursion, `a++`, `\\h` and `\\p{Greek}` (a
  script; the block is `\\p{IsGreek}`). In `$1`, `\\1` and `\\k<1>` groups without a
  name are counted first, as in .NET. A pattern that works on a value for more than a
  second of the processor is an error of the object. A null pattern, or an empty one,
  leaves the source as it is.
- **Item** outside the values is an error of the object; **Contains**, which the page
  names and does not describe, gives the position of the first value that holds the
  text. Case counts, as in **InStr**, unless `vbTextCompare` is given.
- **Split** removes white space around the parts, as in its example.
- **Dates** are in UTC; a text without a zone is one in UTC. `CDate`, `DateAdd` and
  `Now` are written `M/d/yyyy h:mm:ss tt`, `DateFromNum` is `yyyy-MM-dd HH:mm:ss`. Two
  dates compare as dates if a function made one of them. `CDate` reads what .NET reads
  in the invariant culture, and the directory's own `yyyyMMddHHmmss.fZ`. In a year of
  two digits, 49 is 2049 and 50 is 1950. A day of the week that is not that of the date
  is an error, and so is a zone of more than 14 hours. Microseconds are kept, and the
  seventh digit of a second is not.
- **Len, Left, Mid, InStr** count characters of Unicode; .NET counts units of UTF-16, of
  which an emoji has two.
- **DateDiff** counts years, months and weeks (from Sunday) where the calendar turns,
  and whole days, hours, minutes and seconds of the time between, as Visual Basic does.
- **DateFromNum** gives null for 0 and 9223372036854775807, the directory's "never".
- **FormatDateTime** takes three arguments, or four with the styles second; what the
  format leaves out is 1 January of the year 1, 00:00. A letter that comes twice must
  read the same twice. A format of one letter is one of .NET's standard formats, and
  `%` makes it the letter itself.
- **Not** gives `False` for `True` in any case, and `True` for any other text, `"1"`
  included, and for null; a number that is no text, as `BitAnd` gives it, is true unless
  it is 0.
- **BitAnd** and other functions of numbers take a number in quotes, hexadecimal too.
- **IgnoreAttributeFlow** and **IgnoreObjectFlow** leave what the target has, and no
  default value is written; an ignored object is not created, and is looked at again in
  every cycle. **Error** holds the object in escrow; only a message that is constant is
  its reason, since others may hold values.
- **Redact** makes the whole attribute `sensitive`.
- **SelectUniqueValue** stands at the top of an expression only, with `flowType:
  ObjectAddOnly`, and not on an attribute to match by.
- **Now** is the moment at which a cycle began to evaluate. It, **Guid** and
  **RandomString** give something else each time.
- **DefaultDomain** is `defaultDomain` of the Tenant; without it, it is an error in the
  document.
"""
TEMPLATES = """\
## Templates

`template:` in place of `source:` is a Jinja2 template: texts, `{{{{ name }}}}`,
filters, tests, `{{% if %}}` with `elif` and `else`, `a if b else c`, `and`, `or`,
`not`, comparisons, and `~`, which joins texts. There is nothing else: no loops,
macros, calls, arithmetic, other tags, and no names but those of the object's
attributes.

- **Names** are attributes, in any case. The hyphen of a name is written as an
  underscore, which no attribute has: `msDS_cloudExtensionAttribute1`.
- **Missing attributes** are an error of the object unless a filter or test asks first:
  `{{{{ title | default('') }}}}`, `{{% if title is defined %}}`.
- **Several values** are no text until `join`, `first` or `last` makes one of them.
- **Filters**: {filters}.
  `replace` takes an old and a new text, `join` a separator. The arguments
  of filters and tests are checked when the tree is validated.
- **Tests**: {tests}.
- **Limits**: {length:,} characters of template, nested {depth} deep, {names} names;
  {value:,} characters of an attribute that is read, and of what is made.
- What a template can't do with an object's values is an error of that object.
"""


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in sorted(names))


def templates() -> str:
    return TEMPLATES.format(
        filters=listed(FILTERS),
        tests=listed(TESTS),
        length=MAX_LENGTH,
        depth=MAX_DEPTH,
        names=MAX_NAMES,
        value=MAX_VALUE,
    )


def pages() -> Iterator[str]:
    yield HEAD
    for kind in KINDS:
        schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
        yield f"## {schema['title']}\n\n{schema['description']}\n"
        yield "| field | | what it says | example |\n|---|---|---|---|"
        yield from rows(schema, schema, prefix="")
        yield ""
    yield SCOPING
    yield EXPRESSIONS.rstrip()
    for each in entries():
        again = "" if each.pure else " Each time anew."
        yield f"| `{each.syntax}` | {each.gives} | {each.summary}{again} |"
    yield RULES
    yield templates()


def rows(node: dict[str, Any], root: dict[str, Any], *, prefix: str) -> Iterator[str]:
    required = node.get("required", [])
    for name, field in node.get("properties", {}).items():
        path = f"{prefix}{name}"
        need = "required" if name in required else ""
        if "default" in field:
            need = f"default `{json.dumps(field['default'])}`"
        example = json.dumps(field["examples"][0], ensure_ascii=False)
        example = example.replace("|", "\\|")
        text = field["description"].replace("|", "\\|")
        yield f"| `{path}` | {need} | {text} | `{example}` |"
        for inner, mark in inside(field, root):
            yield from rows(inner, root, prefix=f"{path}{mark}.")


def inside(
    field: dict[str, Any], root: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the schemas of what a field holds, with the mark that its path gets."""
    shape = resolved(field, root)
    if "properties" in shape:
        yield shape, ""
    for key, mark in (("items", "[]"), ("additionalProperties", ".NAME")):
        if isinstance(inner := shape.get(key), dict):
            for each, deeper in inside(inner, root):
                yield each, mark + deeper


def resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    if not reference.startswith("#/"):
        return node
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return {**found, **node}


def main() -> None:
    sys.stdout.write("\n".join(pages()))


if __name__ == "__main__":
    main()
