"""Coverage-guided fuzzing of the expression language: `make fuzz`.

`python -m tests.fuzz.expressions FOLDER -max_total_time=600` accepts libFuzzer's
options. The folder keeps the interesting inputs, and starts with the documented
examples. A crash, a hang or a broken law ends the run with an error and the input.
"""

from __future__ import annotations

import json
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cloudforest.program"]):
    from tests.fuzz.laws import hold
    from tests.fuzz.running import BETWEEN, attributes_in, fuzz
    from tests.fuzz.words import WORDS

UNIT = Path(__file__).parents[1] / "unit"
EXAMPLES = UNIT / "program" / "expressions" / "documented.json"
NAMES = ("a", "a", "b", "dn")


def once(raw: bytes) -> None:
    text, *values = raw.decode(errors="replace").split(BETWEEN)
    hold(text, attributes_in(NAMES, values))


def seeds() -> list[str]:
    """Return the documented examples, and each single word."""
    made = []
    for example in json.loads(EXAMPLES.read_text(encoding="utf-8")):
        text, values = example["expression"], [""]
        for name, value in list(example["attributes"].items())[:2]:
            text = text.replace(f"[{name}]", "[b]" if len(values) > 1 else "[a]")
            values.append(value or "")
        made.append(BETWEEN.join([text, *values]))
    return [*made, *WORDS]


if __name__ == "__main__":
    fuzz(once, seeds(), WORDS)
