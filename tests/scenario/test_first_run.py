"""The output that a new user sees, in order; the second run has nothing to do."""

from __future__ import annotations

import shlex

from tests.support.installed import COMMAND, Installed


def test_first_run_shows_each_step_and_second_run_has_nothing_to_do(
    topology: Installed,
) -> None:
    first = topology("up", "--once")

    assert first.code == 0, first
    assert_in_order(
        first.out,
        "documents are valid",
        "\nPlan\n",
        "Job contoso-people",
        "objects in scope",
        "\nRegistration\n",
        "✓ Tenant contoso: created",
        "✓ Job contoso-people: created",
        "✓ Agent sync01: one-time token issued",
        "✓ Agent sync01: enrolled and bootstrapped",
        "\nCycle\n",
        "memberships added",
        "\nNext\n",
    )
    assert "1009 to create, 1814 memberships to add; 1166 requests" in first.out
    assert "requests 1,166" in " ".join(first.out.split())
    suggested = [
        shlex.split(line, comments=True)
        for line in first.out.partition("\nNext\n")[2].splitlines()
        if line.strip()
    ]
    assert [words[1] for words in suggested] == ["explain", "status", "up"]
    for program, *words in suggested[:2]:
        assert program in ("cloudforest", str(COMMAND))
        assert topology(*words).code == 0

    second = topology("up", "--once")

    assert second.code == 0
    assert "Nothing to do" in second.out
    assert "one-time token" not in second.out


def assert_in_order(text: str, *parts: str) -> None:
    at = 0
    for part in parts:
        assert part in text[at:], f"{part!r} is not after {text[:at][-80:]!r}"
        at = text.index(part, at) + len(part)
