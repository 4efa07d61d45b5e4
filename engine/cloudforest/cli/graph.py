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
from cloudforest.base.files import MAX_DATA_BYTES, read_bounded, write_new_file
from cloudforest.cli import terminal
from cloudforest.cli.options import StateOption, tree_folder
from cloudforest.cli.validate import require_compiled_tree
from cloudforest.compiler.wording import suggest_names
from cloudforest.graph.documents import ImportOrigin, write_documents
from cloudforest.graph.export_rules import export_jobs, make_skeleton
from cloudforest.graph.import_rules import ImportedRule, import_rules
from cloudforest.graph.schema import parse_schema, require_rules, to_schema

SCHEMA_SUFFIX = ".graph.json"
"""The schema that documents were imported from, beside them."""
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,50}")
_RULE_NUMBER = re.compile(r"-[0-9]+")


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
            "--out",
            help=f"A folder for NAME.yaml and NAME{SCHEMA_SUFFIX}; else stdout.",
        ),
    ] = None,
) -> int:
    """Turn a Graph synchronizationSchema into Scope, Mapping and Job documents."""
    data = _read_schema_file(file)
    schema = to_schema(parse_schema(data, str(file)))
    require_rules(schema, str(file))
    called = _parse_job_name(
        name or file.name.removesuffix(SCHEMA_SUFFIX).removesuffix(".json")
    )
    origin = ImportOrigin(f"{called}{SCHEMA_SUFFIX}", domain, target)
    rules = import_rules(schema, called)
    _require_importable(rules, file)
    text = write_documents(schema, rules, origin)
    if out is None:
        sys.stdout.write(text)
        return 0
    write_new_file(out / f"{called}.yaml", text)
    write_new_file(out / origin.file, data.decode("utf-8-sig"))
    terminal.print_done(
        f"{out / called}.yaml is made of {file}, which is kept beside it."
    )
    return 0


def _require_importable(rules: Sequence[ImportedRule], file: Path) -> None:
    if not any(each.mappings for each in rules):
        reasons = "; ".join(note for each in rules for note in each.notes)
        raise Refused(
            f"Nothing in {file} can be imported ({reasons}); write the documents by"
            " hand, beginning with `cloudforest init`."
        )


def _read_schema_file(file: Path) -> bytes:
    try:
        return read_bounded(file, MAX_DATA_BYTES).removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise Misconfigured(
            f"{file} can't be read ({error.strerror}); name the schema's JSON file."
        ) from error


def _parse_job_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    if not _JOB_NAME.fullmatch(name):
        raise typer.BadParameter(f"{text} is no name; write one with --name.")
    return name


def export_schema(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job of the tree.")],
    *,
    state: StateOption = None,
    base: Annotated[
        Path | None,
        typer.Option(
            "--base",
            help=f"The schema to put it into; JOB{SCHEMA_SUFFIX} in the tree if left "
            "out.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A new file; else stdout.")
    ] = None,
) -> int:
    """Write a job's scope and mappings as a Graph synchronizationSchema."""
    tree = tree_folder(state)
    _, registration = require_compiled_tree(tree)
    found = registration.find_job(job)
    if found is None:
        jobs = (each.name for each in registration.jobs)
        raise Refused(
            f"There is no job {job} in the tree {tree}; {suggest_names(job, jobs)}"
        )
    file = base or _find_base_schema(tree, job)
    if file is None:
        schema = make_skeleton(found, registration.programs[job])
        exported = export_jobs(schema, job, registration)
    else:
        schema = parse_schema(_read_schema_file(file), str(file))
        exported = export_jobs(schema, _import_name_or_job(file, job), registration)
    for each in exported.warnings:
        terminal.print_to_stderr(f"Warning: {each}")
    _print_or_write_schema(exported.schema, out)
    return 0


def _find_base_schema(tree: Path, job: str) -> Path | None:
    """Return the schema that the job was imported from: JOB is NAME, or NAME-2."""
    files = (
        each
        for each in sorted(tree.rglob(f"*{SCHEMA_SUFFIX}"))
        if not any(part.startswith(".") for part in each.relative_to(tree).parts)
    )
    fitting = {
        _import_name(each): each
        for each in files
        if _is_job_of_import(job, _import_name(each))
    }
    return fitting[max(fitting, key=len)] if fitting else None


def _import_name(file: Path) -> str:
    return file.name.removesuffix(SCHEMA_SUFFIX)


def _is_job_of_import(job: str, name: str) -> bool:
    rest = job.removeprefix(name)
    return job == name or (rest != job and _RULE_NUMBER.fullmatch(rest) is not None)


def _import_name_or_job(file: Path, job: str) -> str:
    """Return the name of the import; a schema from elsewhere takes the job's."""
    return _import_name(file) if _is_job_of_import(job, _import_name(file)) else job


def _print_or_write_schema(schema: dict[str, Any], out: Path | None) -> None:
    if out is None:
        terminal.print_json(schema)
        return
    text = msgspec.json.format(msgspec.json.encode(schema)).decode()
    write_new_file(out, f"{text}\n")
    terminal.print_done(f"{out} holds the schema; PUT it to …/jobs/ID/schema.")
