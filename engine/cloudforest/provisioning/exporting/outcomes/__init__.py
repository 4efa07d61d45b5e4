"""What became of effects: stored, counted, paid for; taken back in an outage."""

from __future__ import annotations
