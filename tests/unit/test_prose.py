"""The prose check finds phrases that we no longer write, and nothing in code."""

from __future__ import annotations

import re

import pytest
from scripts.prose import PATTERNS, findings, prose, tracked

PHRASES = [
    "staging is no scenario",
    "There is none to run",
    "Mail is to be sent again",
    "This may not be meant",
    "The file is there already",
    "It begins anew",
    "We mend it",
    "It tells the two apart",
    "A row never bears on another",
    "nor borne by a guard",
    "3 disables besides 2",
    "lest it fails",
    "whoever asked",
    "those whom it names",
    "a group, members of which leave",
    "the manager as well",
    "nothing at all",
    "an agent of its own",
    "Leave it as it is",
    "the cycle goes on without it",
    "One object fails; the others go on.",
    "You enroll an agent",
    "options that it heeds",
    "It looks whether it is allowed",
    "would cause 136 disables",
    "The database does not do its work",
    "The target does not let us in",
    "ended without a word",
    "say with --by",
    "that it is none",
    "the right thereof",
    "an unforeseen end",
    "It fails. Of a job it says nothing.",
    "Who leaves the scope is disabled.",
    "It ends. What is left is removed.",
]


def found(text: str) -> list[str]:
    return [each.found for each in findings(text)]


@pytest.mark.parametrize("text", PHRASES)
def test_phrase_is_found(text: str):
    assert found(text) != []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_has_a_phrase(pattern: str):
    assert any(re.search(pattern, each) for each in PHRASES)


@pytest.mark.parametrize(
    "text",
    [
        "The agent is no longer active.",
        "Users as well as groups",
        "Who is in scope?",
        "## Who loses access",
        "What is a tree? A folder.",
        "Choose one of: plan, apply.",
        "It amends a recommendation.",
        "That goes on the list.",
        "The agent is enrolled.",
        "A person who leaves is disabled.",
    ],
)
def test_plain_sentence_is_accepted(text: str):
    assert found(text) == []


def test_finding_has_its_line_and_what_to_write():
    [finding] = findings("One\ntwo is\n  no job\n")
    assert (finding.line, finding.found) == (2, "is no job")
    assert "Unknown" in finding.instead


def test_comments_and_texts_of_python_are_read():
    source = '"""We mend it."""\nx = f"{y} anew"  # lest\n'
    assert found(prose(source)) == ["mend", "anew", "lest"]


def test_json_key_of_the_api_is_exempt_only_as_a_whole_string():
    assert found(prose('x["foreseen"] = 1\n')) == []
    assert found(prose('x = "foreseen: 1"\n')) == ["foreseen"]


def test_code_is_not_read():
    assert found(prose("whom = besides.anew(lest)\n")) == []


def test_sentence_over_two_lines_is_read():
    assert found(prose("# it is\n# no job\n")) == ["is no job"]
    assert found(prose('x = ("it is "\n     "no job")\n')) == ["is no job"]


def test_texts_apart_are_two_sentences():
    assert found(prose('x = ["is", "no job"]\n')) == []


def test_lines_of_python_stay():
    source = 'x = 1\n\n\ny = """a\nb anew"""\n'
    assert [each.line for each in findings(prose(source))] == [5]


def test_every_sort_of_text_is_tracked():
    endings = {each.rpartition(".")[2] for each in tracked()}
    assert endings >= {"py", "md", "yaml", "json", "j2"}
