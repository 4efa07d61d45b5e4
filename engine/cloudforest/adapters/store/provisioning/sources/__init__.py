"""Source rows: what the directory said, what must still be asked, what is settled."""

from __future__ import annotations
