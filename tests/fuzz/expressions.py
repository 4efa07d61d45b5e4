"""Ten minutes of coverage-guided fuzzing of the expression language: `make fuzz`.

`python -m tests.fuzz.expressions FOLDER -max_total_time=600` takes the options of
libFuzzer; the folder keeps what was found to be worth trying, and begins with the
documented examples. It ends with an error and the input when anything crashes, hangs,
or breaks one of the laws.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cloudforest.program"]):
    from tests.fuzz.laws import hold
    from tests.fuzz.words import WORDS

EXAMPLES = Path(__file__).parents[1] / "unit" / "program" / "expressions.json"
NAMES = ("a", "a", "b", "dn")
BETWEEN = "\0"
"""Between the expression and the values of the object."""


def once(raw: bytes) -> None:
    text, *values = raw.decode(errors="replace").split(BETWEEN)
    attributes: dict[str, tuple[str, ...]] = {}
    for name, value in zip(NAMES, values, strict=False):
        attributes[name] = (*attributes.get(name, ()), value)
    hold(text, attributes)


def seeds() -> list[str]:
    """Return the documented examples, and each word alone."""
    made = []
    for example in json.loads(EXAMPLES.read_text(encoding="utf-8")):
        text, values = example["expression"], [""]
        for name, value in list(example["attributes"].items())[:2]:
            text = text.replace(f"[{name}]", "[b]" if len(values) > 1 else "[a]")
            values.append(value or "")
        made.append(BETWEEN.join([text, *values]))
    return [*made, *WORDS]


def prepare(folder: Path) -> Path:
    """Write the seeds and the dictionary; return the place of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / f"seed{number}").write_text(seed, encoding="utf-8")
    words = folder.with_suffix(".dict")
    escaped = [each.replace("\\", "\\\\").replace('"', '\\"') for each in WORDS]
    words.write_text("".join(f'"{each}"\n' for each in escaped if each.isascii()))
    return words


def main() -> None:
    folder = Path(sys.argv[1])
    words = prepare(folder)
    options = (f"-dict={words}", "-max_len=2000", "-timeout=60")
    atheris.Setup([sys.argv[0], str(folder), *options, *sys.argv[2:]], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
