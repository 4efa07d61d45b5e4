"""Log each step of the process that loads this, and signal the process before one.

A step is a change outside the process: a statement that writes, its commit, a file
put into place, a lock, a message sent, a line printed. PYTHONPATH loads this module.
`STEPS` is the file for the names of the steps and `SIGNAL` the number of the signal.
`STEP` is the number of steps before it: `17`, or `NAME+2` from the first `NAME` on.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

WRITES = re.compile(r"\s*((?:CREATE( UNIQUE)? \w+|INSERT INTO|UPDATE|DELETE FROM) \w+)")
PLACES = {"mkdir": "self", "replace": "target", "unlink": "self", "flock": "lock"}
SAID = {"send": "write", "connect": "_sock_connect", "write": "_write_buffer"}


class Steps:
    def __init__(self, file: str, signal: int, name: str, before: int) -> None:
        self.file = Path(file)
        self.signal, self.name, self.before = signal, name, before
        self.counting = not name
        self.lock = threading.RLock()
        self.written = threading.local()

    def __call__(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and (step := self._step(frame, called.__name__)):
            with self.lock:
                self._take(step)

    def _step(self, frame: FrameType, function: str) -> str | None:
        values, code = frame.f_locals, frame.f_code
        match function:
            case "execute" | "executemany":
                return self._statement(str(values.get("statement")))
            case "commit" if last := getattr(self.written, "last", None):
                self.written.last = None
                return f"COMMIT after {last}"
            case "send" | "connect" | "write" if code.co_name == SAID[function]:
                return function
            case "mkdir" | "replace" | "unlink" | "flock":
                return _placed(function, code.co_filename, values)
        return None

    def _statement(self, statement: str) -> str | None:
        if found := WRITES.match(statement):
            self.written.last = found[1]
            return found[1]
        return None

    def _take(self, step: str) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(step + "\n")
        self.counting = self.counting or step == self.name
        if self.counting:
            if self.before == 0:
                os.kill(os.getpid(), self.signal)
            self.before -= 1


def _placed(function: str, file: str, values: dict[str, Any]) -> str | None:
    place = values.get(PLACES[function])
    if place is None or not file.endswith(("pathlib.py", "state.py")):
        return None
    return f"{function} {Path(getattr(place, 'name', place)).name}"


if "STEPS" in os.environ:
    name, _, before = os.environ["STEP"].rpartition("+")
    steps = Steps(os.environ["STEPS"], int(os.environ["SIGNAL"]), name, int(before))
    threading.setprofile(steps)
    sys.setprofile(steps)
