"""Every table and figure of both papers."""

from __future__ import annotations

from lacuna.tables import diffjoint, diffjoint_more, missbgm

_ALL = (*diffjoint.TABLES, *diffjoint_more.TABLES, *missbgm.TABLES)
TABLES = {table.id: table for table in sorted(_ALL, key=lambda table: table.place)}
