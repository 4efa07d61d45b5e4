"""What the provisioning service keeps: one class, composed of one module a table."""

from __future__ import annotations
