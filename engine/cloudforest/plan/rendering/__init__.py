"""A plan for people: Markdown, HTML, and the words and tables that all share."""

from __future__ import annotations
