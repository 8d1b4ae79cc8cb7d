"""Data sets, one file each: raw source -> Table. The only readers of data/."""
