"""The functions of the expression language, one by one; `catalog` lists them."""

from __future__ import annotations
