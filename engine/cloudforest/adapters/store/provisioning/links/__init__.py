"""Links, and whom the jobs of a target hold; pictures of the target."""

from __future__ import annotations
