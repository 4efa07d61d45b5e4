"""Layer 4: documents to registration, in small stages that collect what is wrong."""

from __future__ import annotations
