"""`import-schema` and `export-schema`: synchronizationSchemas of Microsoft Graph."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from typer import Argument, BadParameter, Option

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.base.files import MAX_DATA_BYTES, read_bounded, write_new_file
from cloudforest.cli import options, terminal
from cloudforest.cli.validate import require_compiled_tree

if TYPE_CHECKING:
    from cloudforest.graph.import_rules import ImportedRule

SCHEMA_SUFFIX = ".graph.json"
"""The imported schema, kept beside the documents made from it."""
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,50}")


def import_schema(
    file: Annotated[Path, Argument(help="A synchronizationSchema, as JSON.")],
    *,
    name: Annotated[
        str | None,
        Option("--name", help="The name of the job. Default: the name of FILE."),
    ] = None,
    domain: Annotated[
        str | None, Option(help="The domain to read. Default: as in the DNs.")
    ] = None,
    target: Annotated[
        str | None, Option(help="The name of the Target to write to.")
    ] = None,
    out: Annotated[
        Path | None,
        Option(
            help=f"A folder for NAME.yaml and NAME{SCHEMA_SUFFIX}. Default: stdout."
        ),
    ] = None,
) -> None:
    from cloudforest.graph.documents import ImportOrigin, write_documents
    from cloudforest.graph.import_rules import import_rules
    from cloudforest.graph.schema import parse_schema, require_rules, to_schema

    data = _read_schema_file(file)
    schema = to_schema(parse_schema(data, str(file)))
    require_rules(schema, str(file))
    stem = file.name.removesuffix(SCHEMA_SUFFIX).removesuffix(".json")
    job = _parse_job_name(name or stem)
    origin = ImportOrigin(f"{job}{SCHEMA_SUFFIX}", domain, target)
    rules = import_rules(schema, job)
    _require_importable(rules, file)
    text = write_documents(rules, origin)
    if out is None:
        sys.stdout.write(text)
        return
    write_new_file(out / f"{job}.yaml", text)
    write_new_file(out / origin.file, data.decode("utf-8-sig"))
    terminal.print_done(
        f'Wrote "{out / job}.yaml", and "{file}" beside it as "{origin.file}".'
    )


def _require_importable(rules: Sequence[ImportedRule], file: Path) -> None:
    if not any(each.mappings for each in rules):
        reasons = "; ".join(note for each in rules for note in each.notes)
        raise Refused(
            f'Nothing in "{file}" can be imported: {reasons}. Write the documents by '
            "hand; `cloudforest init` gives you a start."
        )


def _read_schema_file(file: Path) -> bytes:
    try:
        return read_bounded(file, MAX_DATA_BYTES).removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise Misconfigured(
            f'Cannot read "{file}": {error.strerror}. Name the JSON file of the schema.'
        ) from error


def _parse_job_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    if not _JOB_NAME.fullmatch(name):
        raise BadParameter(f'"{text}" is not a valid job name. Pass --name NAME.')
    return name


def export_schema(
    job: Annotated[str, Argument(metavar="JOB", help="A job of the tree.")],
    *,
    state: options.State = None,
    base: Annotated[
        Path | None,
        Option(
            "--base",
            help=f"The schema to update. Default: JOB{SCHEMA_SUFFIX} in the tree, or a "
            "new one.",
        ),
    ] = None,
    out: Annotated[Path | None, Option(help="A new file. Default: stdout.")] = None,
) -> None:
    from cloudforest.base.wording import suggest_names
    from cloudforest.graph.export_rules import export_jobs, make_skeleton
    from cloudforest.graph.schema import parse_schema

    tree = options.tree_folder(state)
    _, registration = require_compiled_tree(tree)
    registered = registration.find_job(job)
    if registered is None:
        hint = suggest_names(job, (each.name for each in registration.jobs))
        raise Refused(f'The tree "{tree}" has no job "{job}". {hint}')
    file = base or _find_base_schema(tree, job)
    if file is None:
        schema = make_skeleton(registered, registration.programs[job])
        exported = export_jobs(schema, job, registration)
    else:
        schema = parse_schema(_read_schema_file(file), str(file))
        name = _find_import_name(file, job) or job
        exported = export_jobs(schema, name, registration)
    for each in exported.warnings:
        terminal.print_to_stderr(f"Warning: {each}")
    if out is None:
        terminal.print_json(exported.schema)
        return
    text = msgspec.json.format(msgspec.json.encode(exported.schema)).decode()
    write_new_file(out, f"{text}\n")
    terminal.print_done(f'Wrote "{out}". PUT it to …/jobs/ID/schema.')


def _find_base_schema(tree: Path, job: str) -> Path | None:
    """Return the schema that the job was imported from: of NAME for NAME or NAME-2."""
    files = (
        each
        for each in sorted(tree.rglob(f"*{SCHEMA_SUFFIX}"), reverse=True)
        if not any(part.startswith(".") for part in each.relative_to(tree).parts)
        and _find_import_name(each, job)
    )
    return max(files, key=lambda each: len(each.name), default=None)


def _find_import_name(file: Path, job: str) -> str | None:
    """Return the name of the import that made the job; None for another file."""
    name = file.name.removesuffix(SCHEMA_SUFFIX)
    return name if re.fullmatch(rf"{re.escape(name)}(-[0-9]+)?", job) else None
