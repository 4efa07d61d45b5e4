"""`import-schema` and `export-schema`: Microsoft Graph's schemas. Offline."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.base.files import write_new
from cloudforest.cli import terminal
from cloudforest.cli.options import State, tree_folder
from cloudforest.cli.validate import compiled_tree
from cloudforest.compiler.wording import hint
from cloudforest.graph.documents import Origin, documents
from cloudforest.graph.export_rules import put, skeleton
from cloudforest.graph.import_rules import ReadRule, read
from cloudforest.graph.schema import parsed, require_rules, typed

SUFFIX = ".graph.json"
"""The schema that documents were imported from, beside them."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,50}")
_RULE = re.compile(r"-[0-9]+")


def import_schema(
    file: Annotated[Path, typer.Argument(help="The JSON of a synchronizationSchema.")],
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", help="What to call the job; FILE's name if left out."),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option("--domain", help="The domain that is read; else as the DNs say."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="The Target that is written to."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help=f"A folder for NAME.yaml and NAME{SUFFIX}; else stdout."
        ),
    ] = None,
) -> int:
    """Turn a Graph synchronizationSchema into Scope, Mapping and Job documents."""
    data = _read(file)
    schema = typed(parsed(data, str(file)))
    require_rules(schema, str(file))
    called = _name(name or file.name.removesuffix(SUFFIX).removesuffix(".json"))
    origin = Origin(f"{called}{SUFFIX}", domain, target)
    rules = read(schema, called)
    _require_documents(rules, file)
    text = documents(schema, rules, origin)
    if out is None:
        sys.stdout.write(text)
        return 0
    write_new(out / f"{called}.yaml", text)
    write_new(out / origin.file, data.decode("utf-8-sig"))
    terminal.done(f"{out / called}.yaml is made of {file}, which is kept beside it.")
    return 0


def _require_documents(rules: Sequence[ReadRule], file: Path) -> None:
    if not any(each.mappings for each in rules):
        reasons = "; ".join(note for each in rules for note in each.notes)
        raise Refused(
            f"Nothing in {file} can be imported ({reasons}); write the documents by"
            " hand, beginning with `cloudforest init`."
        )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise Misconfigured(
            f"{file} can't be read ({error.strerror}); name the schema's JSON file."
        ) from error


def _name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(f"{text} is no name; write one with --name.")
    return name


def export_schema(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job of the tree.")],
    *,
    state: State = None,
    base: Annotated[
        Path | None,
        typer.Option(
            "--base",
            help=f"The schema to put it into; JOB{SUFFIX} in the tree if left out.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A new file; else stdout.")
    ] = None,
) -> int:
    """Write a job's scope and mappings as a Graph synchronizationSchema."""
    tree = tree_folder(state)
    _, registration = compiled_tree(tree)
    found = registration.job(job)
    if found is None:
        jobs = (each.name for each in registration.jobs)
        raise Refused(f"There is no job {job} in the tree {tree}; {hint(job, jobs)}")
    file = base or _base(tree, job)
    if file is None:
        schema = skeleton(found, registration.programs[job])
        exported = put(schema, job, registration)
    else:
        schema = parsed(_read(file), str(file))
        exported = put(schema, _imported_as(file, job), registration)
    for each in exported.warnings:
        terminal.complain(f"Warning: {each}")
    _write(exported.schema, out)
    return 0


def _base(tree: Path, job: str) -> Path | None:
    """Return the schema that the job was imported from: JOB is NAME, or NAME-2."""
    files = (
        each
        for each in sorted(tree.rglob(f"*{SUFFIX}"))
        if not any(part.startswith(".") for part in each.relative_to(tree).parts)
    )
    fitting = {_stem(each): each for each in files if _is_of(job, _stem(each))}
    return fitting[max(fitting, key=len)] if fitting else None


def _stem(file: Path) -> str:
    return file.name.removesuffix(SUFFIX)


def _is_of(job: str, name: str) -> bool:
    rest = job.removeprefix(name)
    return job == name or (rest != job and _RULE.fullmatch(rest) is not None)


def _imported_as(file: Path, job: str) -> str:
    """Return the name of the import; a schema from elsewhere takes the job's."""
    return _stem(file) if _is_of(job, _stem(file)) else job


def _write(schema: dict[str, Any], out: Path | None) -> None:
    if out is None:
        terminal.print_json(schema)
        return
    text = msgspec.json.format(msgspec.json.encode(schema)).decode()
    write_new(out, f"{text}\n")
    terminal.done(f"{out} holds the schema; PUT it to …/jobs/ID/schema.")
