"""Layer 4: a synchronizationSchema of Microsoft Graph to documents, and back."""

from __future__ import annotations
