"""Check a document against the schema of its kind."""

from __future__ import annotations

from itertools import islice

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.schema.explain import explain
from cloudforest.compiler.schema.mending import renamed, without
from cloudforest.compiler.schema.validators import KINDS, validator_of
from cloudforest.compiler.schema.wording import opening, shown
from cloudforest.compiler.suggest import hint

SORTS = {"wrong-type", "plain-text-secret"}
MOST = 100
"""Mistakes told of one document: a thousand are one, such as a file of another tool."""


def check(document: Document) -> list[Complaint]:
    """Return what is wrong with the shape of a document, each mistake once.

    What is missing or wrong beside a misspelt key is what would be if it were right.
    """
    if "kind" not in document.content:
        message = 'The key "kind" is missing; '
        return [Complaint("missing-key", message + hint("", KINDS), document)]
    kind = document.content["kind"]
    if kind not in KINDS:
        message = f"{opening(shown(kind))} is not a kind; {hint(str(kind), KINDS)}"
        return [Complaint("unknown-kind", message, document, ("kind",))]
    told = _told(document)
    misspelt = _misspelt(told)
    if not misspelt:
        return told
    return misspelt + check(renamed(document, misspelt))


def as_meant(document: Document) -> Document:
    """Return a document with the keys that its misspelt ones stand for."""
    while document.kind in KINDS and (misspelt := _misspelt(_told(document))):
        document = renamed(document, misspelt)
    return document


def sound_part(document: Document) -> Document | None:
    """Return a document without what is wrong; None if that is a part it needs."""
    document = as_meant(document)
    if document.kind not in KINDS:
        return None
    while told := _told(document):
        if not all(each.path for each in told):
            return None
        document = without(document, told)
    return document


def _misspelt(told: list[Complaint]) -> list[Complaint]:
    more = any(each.id == "more-mistakes" for each in told)
    return [] if more else [each for each in told if each.meant is not None]


def _told(document: Document) -> list[Complaint]:
    errors = validator_of(document.content["kind"]).iter_errors(document.content)
    found = (each for error in errors for each in explain(document, error))
    told = list(islice(found, MOST))
    return _reduced(told) + [_more(document) for _ in islice(found, 1)]


def _more(document: Document) -> Complaint:
    message = (
        f"More than {MOST} things are wrong in this document; the others are told "
        "when these are mended."
    )
    return Complaint("more-mistakes", message, document)


def _reduced(complaints: list[Complaint]) -> list[Complaint]:
    """Drop what follows from another complaint about the same place."""
    kept: dict[object, Complaint] = {}
    for each in complaints:
        kept.setdefault((each.path, each.id, each.message), each)
    return [each for each in kept.values() if not _follows(each, complaints)]


def _follows(complaint: Complaint, others: list[Complaint]) -> bool:
    """Tell whether a key is only missing because there is no block for it."""
    return complaint.id in {"missing-key", "choose-one"} and any(
        each.id in SORTS and each.path == complaint.path for each in others
    )
