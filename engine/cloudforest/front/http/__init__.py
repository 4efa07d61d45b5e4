"""The control plane over HTTP: registration, agents, jobs, and the tenant directory."""

from __future__ import annotations
