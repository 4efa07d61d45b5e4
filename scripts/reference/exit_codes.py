"""The table of exit codes, in the order of the code's own list."""

from __future__ import annotations

from scripts.reference.markdown import code, table

from cloudforest.cli.boundary import ExitCode

MEANINGS = {
    "DONE": ("Done. Warnings do not change this.", "—"),
    "FAILED": (
        "The command failed, documents are wrong, or a job already runs.",
        "Read the error. It says what to do.",
    ),
    "CHANGES": (
        "Changes are pending (`plan`), or the target has drifted (`drift`).",
        "Review them, then `apply`, or `drift --repair`.",
    ),
    "BLOCKED": (
        "A guard blocks effects. A cycle stages them and does the rest.",
        "Review them with `job staged`, then `job allow` or `job discard`.",
    ),
    "ESCROW": (
        "Done, but some objects are in escrow.",
        "`job escrow JOB` lists them with the reason.",
    ),
    "UNREACHABLE": (
        "An agent, the bus, a directory or the target is unreachable.",
        "Check the connection, then run the command again.",
    ),
    "USAGE": (
        "The command line is wrong: an unknown command, option or value.",
        "`cloudforest COMMAND --help` lists what it takes.",
    ),
    "BUG": (
        "A bug in cloudforest. The message names a report file without people's data.",
        "Send us the report file.",
    ),
    "INTERRUPTED": (
        "Interrupted: Ctrl-C or SIGTERM.",
        "Run the command again. Nothing is lost.",
    ),
}


def blocks() -> dict[str, dict[str, str]]:
    rows = [
        (str(each.value), code(each.name.lower()), *MEANINGS[each.name])
        for each in ExitCode
    ]
    made = table(("code", "name", "meaning", "what to do"), rows)
    return {"exit-codes.md": {"exit codes": made}}
