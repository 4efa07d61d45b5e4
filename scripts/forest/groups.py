"""The groups: a big one, an empty one, a list, teams, and divisions made of teams."""

from __future__ import annotations

import random
from collections.abc import Iterable

from forest.ldif import DISTRIBUTION, GLOBAL_SECURITY, GROUPS, Forest
from forest.people import PLACES, Person, ascii_letters

BIG_GROUP = 800
TEAMS = 51
DIVISIONS = 6


def _team(number: int) -> str:
    places = list(PLACES)
    return f"Team {places[number % len(places)]} {number + 1}"


def _ascii_name(name: str) -> str:
    return " ".join(ascii_letters(word) or word for word in name.split())


def _write_group(
    forest: Forest, name: str, members: Iterable[str], kind: int = GLOBAL_SECURITY
) -> None:
    forest.entry(
        f"CN={name},{GROUPS}",
        "group",
        [
            ("cn", name),
            ("sAMAccountName", _ascii_name(name)),
            ("description", f"Members of {name}"),
            ("groupType", kind),
            *(("member", dn) for dn in members),
        ],
    )


def write_groups(forest: Forest, people: int, seed: int) -> None:
    """Write 60 groups."""

    def member(number: int) -> str:
        return Person(seed, number, people).dn

    everyone = min(BIG_GROUP, people)
    _write_group(forest, "All Staff", (member(each) for each in range(everyone)))
    _write_group(forest, "Alumni 2027", ())
    _write_group(
        forest,
        "Newsletter",
        (member(each) for each in range(0, everyone, 7)),
        DISTRIBUTION,
    )
    for number in range(TEAMS):
        dice = random.Random(f"{seed}/team/{number}")
        chosen = sorted(dice.sample(range(people), min(people, dice.randint(3, 40))))
        _write_group(forest, _team(number), map(member, chosen))
    for number in range(DIVISIONS):
        teams = range(number * 5, number * 5 + 5)
        nested = [f"CN={_team(each)},{GROUPS}" for each in teams]
        _write_group(forest, f"Division {number + 1}", [*nested, member(number)])
