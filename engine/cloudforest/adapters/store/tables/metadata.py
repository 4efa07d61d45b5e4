"""Two databases: the control plane's, and that of the embedded tenant directory."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
tenant_metadata = MetaData()
