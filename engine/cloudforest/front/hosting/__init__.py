"""Processes: the control plane over HTTP in this one, and the local agents' own."""

from __future__ import annotations
