"""Find phrases that we no longer write: `make prose`, or pass files to read.

Reads Markdown, YAML, JSON Schemas and templates whole. In Python it reads comments,
docstrings and other texts. `CONTRIBUTING.md` says how we write.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

ROOT = Path(__file__).parents[1]
READ = ("*.py", "*.md", "*.yaml", "*.yml", "*.j2", "schemas/*.json")
SKIPPED = (
    "scripts/prose.py",
    "tests/unit/test_prose.py",
    "tests/unit/test_reality.py",
)
"""They hold the phrases."""
PATTERNS = {
    r"\b(?:is|are|was|were) no (?!longer\b|more\b)[a-z]+": (
        '"is not a …", "has no …", or "Unknown …"'
    ),
    r"\b(?:(?:is|are) none|there (?:is|are) no)\b": "what is missing, as the subject",
    r"\b(?:is|are) to be\b": 'the imperative, "must be", or the future',
    r"\bmay not be meant\b": '"may be a mistake"',
    r"\b(?:is|are) there already\b": '"already exists"',
    r"\banew\b": '"again", or "starts over"',
    r"\bmend(?:s|ed|ing)?\b": '"fix"',
    r"\b(?:tells?|told|telling) (?:\w+ ){0,3}apart\b": '"distinguish"',
    r"\b(?:bears?|bore|borne|bearing) (?:on|upon|by)\b": '"apply to", "carry"',
    r"\b(?:nor|not|to) (?:bear|borne)\b": '"apply to", "carry"',
    r"\b[Bb]esides\b": '"also", "except", "in addition to"',
    r"\blest\b": '"so that … not"',
    r"\b(?:whoever|whomever|whosoever)\b": '"who", or the role that does it',
    r"\bwhom\b": '"who", or another sentence',
    r"\bof which\b": "two sentences",
    r"\bas well\b(?! as\b)": '"also", or nothing',
    r"\bat all\b": "nothing: cut it",
    r"\bof its own\b": '"its own …" before the noun',
    r"\bas (?:it is|they stand|it stands)\b": '"unchanged", or nothing',
    r"\bgo(?:es)? on(?: (?!with\b|to\b|the\b|a\b)[a-z]+|(?=[.,;:!?)]| \|))": (
        '"continue"'
    ),
    r"\b[Ee]nroll(?!ed\b|ing\b)": '"enrol"; "enrolled" and "enrolling" keep both l',
    r"\bheed(?:s|ed|ing)?\b": '"obey", "respect", "read"',
    r"\blooks? whether\b": '"check whether"',
    r"\bcauses? (?:\d+|\{[^{}]*\}) [a-z]+s\b": 'the verb: "create 1 user"',
    r"\bdo(?:es)? not do its work\b": 'what failed: "Database error: …"',
    r"\b(?:do|does|did) not let us in\b": '"rejected our credentials"',
    r"\bwithout a word\b": '"without a result"',
    r"\bsay with\b": '"Pass `--option` to …"',
    r"\bit is none\b": '"it is not one"',
    r"\b(?:thereof|therein|whereof|wherein|hitherto|therewith)\b": "plain words",
    r"\b(?:foresee|foreseen|foreseeing|unforeseen)\b": '"preview", "unexpected"',
    # At the start of a sentence only.
    r"(?<![\w:] )\bOf (?:a|an|the|what|who|each|one|those|this)\b": "the subject first",
    r"(?<![#\w|*:] )(?<!\*\*)\bWho (?!loses access\b)[a-z]+ (?![^.\n]*\?)": (
        'a noun first: "People who …"'
    ),
    r"(?<=[.:] )\bWhat (?:is|has|was) (?![^.]*\?)": "the subject first",
}
"""What we do not write, and what to write instead."""
KEYS = {'"foreseen"'}
"""JSON keys of the HTTP API, as quoted in Python. A client reads them: they stay."""
_TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
_OPENING = re.compile(r"#:?|[A-Za-z]{,2}(\"\"\"|'''|\"|')")


@dataclass(frozen=True)
class Finding:
    line: int
    found: str
    instead: str


def findings(text: str) -> list[Finding]:
    """Return each phrase, by line; one may go over the end of a line."""
    words = list(re.finditer(r"\S+", text))
    joined = " ".join(each[0] for each in words)
    starts = list(accumulate((len(each[0]) + 1 for each in words), initial=0))
    hits = sorted(
        (match.start(), match[0].strip(), instead)
        for pattern, instead in PATTERNS.items()
        for match in re.finditer(pattern, joined)
    )
    places = [words[bisect_right(starts, start) - 1].start() for start, _, _ in hits]
    return [
        Finding(text.count("\n", 0, place) + 1, found, instead)
        for place, (_, found, instead) in zip(places, hits, strict=True)
    ]


def prose(source: str) -> str:
    """Return Python with its code blanked out; texts stay where they are.

    Quotes and `#` become spaces, so that a sentence can be followed from one line to
    the next. Code becomes NUL, which no phrase contains.
    """
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    blanked = list(re.sub(r"\S", "\0", source))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _TEXTS and token.string not in KEYS:
            start = starts[token.start[0] - 1] + token.start[1]
            end = starts[token.end[0] - 1] + token.end[1]
            blanked[start:end] = _without_marks(source[start:end])
    return "".join(blanked)


def _without_marks(text: str) -> str:
    opening = _OPENING.match(text)
    if not opening:
        return text
    head, quote = opening[0], opening[1] or ""
    inner = text[len(head) : len(text) - len(quote)]
    return " " * len(head) + inner + " " * len(quote)


def tracked() -> list[str]:
    command = ["git", "ls-files", "--", *READ]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return listed.stdout.decode().splitlines()


def main() -> int:
    total = 0
    for name in sys.argv[1:] or tracked():
        if name in SKIPPED:
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for each in findings(prose(text) if name.endswith(".py") else text):
            print(f'{name}:{each.line}: "{each.found}" → {each.instead}')
            total += 1
    if total:
        print(f"{total} {'phrase' if total == 1 else 'phrases'} to rewrite.")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
