"""The control plane's HTTP API, as its clients see it: the commands and the agents."""

from __future__ import annotations
