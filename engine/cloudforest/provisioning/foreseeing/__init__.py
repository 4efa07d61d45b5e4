"""Impact: what a job's next cycle would do, and to whom, before anything is written."""

from __future__ import annotations
