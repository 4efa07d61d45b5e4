"""How many hints about a domain are heard: a stolen agent can send any number."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

IN_HAND = 300
"""Hints in quick succession that are heard at once."""
SECONDS_FOR_ONE = 5.0
"""Until there is one more in hand."""


@dataclass
class HintBudget:
    """Keeps apart what each domain has in hand; one never costs another anything."""

    _held: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def left(self, domain: str, now: datetime) -> bool:
        """Tell whether a hint about it would be heard."""
        return self._in_hand(domain, now) >= 1

    def take(self, domain: str, now: datetime) -> bool:
        """Hear a hint about it; return whether that is possible now."""
        in_hand = self._in_hand(domain, now)
        if in_hand < 1:
            return False
        self._held[domain] = (in_hand - 1, now)
        return True

    def _in_hand(self, domain: str, now: datetime) -> float:
        held, since = self._held.get(domain, (IN_HAND, now))
        # A clock that was set back gives nothing.
        passed = max(0.0, (now - since).total_seconds())
        return min(IN_HAND, held + passed / SECONDS_FOR_ONE)
