"""Every table and figure of both papers."""

from __future__ import annotations

from lacuna.tables import diffjoint, missbgm

TABLES = {table.id: table for table in (*diffjoint.TABLES, *missbgm.TABLES)}
