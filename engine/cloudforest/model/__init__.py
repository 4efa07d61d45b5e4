"""Layer 2: the nouns, the bus messages and the ports. No I/O."""

from __future__ import annotations
