#!/usr/bin/env python3
"""Write a forest that does not exist, as `ldapsearch` would export it from an AD.

The same seed and number of people give the same bytes. Entries are written as they are
made, so that a large forest needs no more memory than a small one.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from forest.groups import write_groups
from forest.ldif import Forest
from forest.people import Person
from forest.system import write_containers, write_machines, write_system_objects


def write_forest(out: TextIO, *, people: int, seed: int) -> None:
    forest = Forest(out, seed)
    out.write("version: 1\n\n")
    write_containers(forest)
    write_system_objects(forest)
    for number in range(people):
        person = Person(seed, number, people)
        has_boss = person.boss is not None
        person.write(forest, Person(seed, person.boss, people) if has_boss else None)
    write_machines(forest)
    write_groups(forest, people, seed)
    forest.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a file; standard output without it")
    options = parser.parse_args()
    with _opened(options.out) as out:
        write_forest(out, people=options.people, seed=options.seed)


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8", newline="\n") as out:
        yield out


if __name__ == "__main__":
    main()
