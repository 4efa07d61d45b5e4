"""The objects of examples are such as an agent may send."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.forbidden import is_forbidden
from cloudforest.program.scoping.dn import parse_dn


def objects_can_be_read(tree: Tree) -> Iterator[Complaint]:
    for example in tree.of("Example"):
        for path, dn in _names(example):
            try:
                parse_dn(dn)
            except SyntaxFault as fault:
                yield Complaint(
                    "dn-syntax", str(fault), example, path, offset=fault.offset
                )
        for name in example.content["object"].get("attributes", {}):
            if is_forbidden(name):
                message = (
                    f'The attribute "{name}" holds secrets and is never read; take it '
                    "out, and change the secret if it is a real one."
                )
                where = ("object", "attributes", name)
                yield Complaint(
                    "forbidden-attribute",
                    message,
                    example,
                    where,
                    at_key=True,
                    hidden=True,
                )


def _names(example: Document) -> Iterator[tuple[DocumentPath, str]]:
    content = example.content["object"]
    yield ("object", "dn"), content["dn"]
    for index, each in enumerate(content.get("groups", ())):
        yield ("object", "groups", index), each
