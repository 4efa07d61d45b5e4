"""What is opened for a job: its directory, its target, its run."""

from __future__ import annotations
