"""Every table and figure of both papers."""

from __future__ import annotations

from lacuna.tables.definition import Catalogue
from lacuna.tables.papers import diffjoint, diffjoint_more, missbgm

_ALL = sorted((*diffjoint.TABLES, *diffjoint_more.TABLES, *missbgm.TABLES), key=lambda table: table.place)
CATALOGUE = Catalogue("Tables and figures of both papers", {table.id: table for table in _ALL})
