"""Layer 4: the provisioning service: import, match, evaluate, export, schedule."""

from __future__ import annotations
