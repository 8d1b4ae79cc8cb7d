"""Steps in SQL whose results are Parquet files: each is written whole, and found again by what it was made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacuna.errors import UserError, require
from lacuna.files import whole
from lacuna.physionet.comorbidities import prefixes
from lacuna.physionet.sources import READ, STRICT, RawFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SQL = Path(__file__).with_name("sql")
MACROS = (SQL / "macros.sql").read_text(encoding="utf-8")
# One column for each comorbidity, of the names found in a stay's history h.
FLAGS = ",\n    ".join(
    f"count(*) FILTER (h.name = '{name}') > 0 AS {name}" for name in dict.fromkeys(p.name for p in prefixes())
)


class Engine:
    """DuckDB within a memory limit, whose results and spilled pages all lie in one folder.

    Args:
        folder: for the results; it exists.
        memory_gb: of DuckDB; the whole process takes about one more.
        threads: at once; None: as many as there are cores.
    """

    def __init__(self, folder: Path, memory_gb: float, threads: int | None = None) -> None:
        self.folder = folder
        self._connection = _connect(folder / "spilled", memory_gb, threads)
        self._keys: dict[str, str] = {}

    def load(self, source: RawFile) -> bool:
        """Make a raw table known by its name, its columns typed.

        Returns:
            True where it had been read before.

        Raises:
            UserError: it is no table of text, or a cell of a column that matters cannot be read as what it should be.
        """
        columns = ", ".join(f"'{_quoted(name)}': 'VARCHAR'" for name in source.header)
        reader = (
            f"read_csv('{_quoted(source.path)}', columns={{{columns}}}, header=true, auto_detect=false, delim=',', "
            "quote='\"', escape='\"', nullstr='')"
        )
        typed = {name: READ[kind].format(x=f'"{name}"') for name, kind in source.raw.columns.items()}
        selected = ", ".join(f'{expression} AS "{name}"' for name, expression in typed.items())
        key = _digest([source.sha256, selected, MACROS])
        known = self._known(source.table, key)
        if not known:
            try:
                self._refuse_unreadable(source, reader, typed)
                self._write(source.table, key, f"SELECT {selected} FROM {reader}")
            except _error() as error:
                raise UserError(f"{source.path} cannot be read as CSV{_reason(error)}") from None
        self._register(source.table, key)
        if source.raw.key:
            self._refuse_repeated(source, source.raw.key)
        return known

    def run(self, step: str, needs: Iterable[str]) -> bool:
        """Make the result of sql/<step>.sql known by its name; True where it had been made before."""
        sql = (SQL / f"{step}.sql").read_text(encoding="utf-8")
        sql = sql.replace("{flags}", FLAGS)
        key = _digest([sql, MACROS, repr(prefixes()), *(self._keys[name] for name in needs)])
        known = self._known(step, key)
        if not known:
            try:
                self._write(step, key, sql)
            except _error() as error:
                raise UserError(f"{step} cannot be made{_reason(error)}") from None
        self._register(step, key)
        return known

    def count(self, name: str) -> int:
        """How many rows a table or result has."""
        return int(self._connection.sql(f"SELECT count(*) FROM {name}").fetchall()[0][0])

    def path(self, name: str) -> Path:
        return self.folder / f"{name}-{self._keys[name]}.parquet"

    def close(self) -> None:
        self._connection.close()

    def _known(self, name: str, key: str) -> bool:
        return (self.folder / f"{name}-{key}.parquet").is_file()

    def _write(self, name: str, key: str, sql: str) -> None:
        with whole(self.folder / f"{name}-{key}.parquet") as temporary:
            self._connection.execute(f"COPY ({sql}) TO '{_quoted(temporary)}' (FORMAT parquet)")

    def _register(self, name: str, key: str) -> None:
        self._keys[name] = key
        self._connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{_quoted(self.path(name))}')")

    def _refuse_unreadable(self, source: RawFile, reader: str, typed: dict[str, str]) -> None:
        strict = {name: sql for name, sql in typed.items() if source.raw.columns[name] in STRICT}
        counts = ", ".join(
            f"""count(*) FILTER (trim("{name}") <> '' AND {sql} IS NULL)""" for name, sql in strict.items()
        )
        found = self._connection.sql(f"SELECT {counts} FROM {reader}").fetchall()[0]
        for name, n_bad in zip(strict, found, strict=True):
            if n_bad:
                wanted = STRICT[source.raw.columns[name]]
                raise UserError(f"{source.path}: {n_bad:,} cells of column {name!r} are no {wanted}")

    def _refuse_repeated(self, source: RawFile, key: str) -> None:
        sql = f"SELECT count(*), count(DISTINCT {key}) FROM {source.table}"
        n_rows, n_distinct = self._connection.sql(sql).fetchall()[0]
        if n_rows != n_distinct:
            raise UserError(f"{source.path}: {n_rows - n_distinct:,} of {n_rows:,} rows have no {key} of their own")


def _connect(spilled: Path, memory_gb: float, threads: int | None) -> DuckDBPyConnection:
    require("the build of mimic_ed", "mimic", "duckdb")
    import duckdb

    settings: dict[str, Any] = {
        "memory_limit": f"{memory_gb}GB",
        "temp_directory": str(spilled),  # the default lies in the current folder
        "preserve_insertion_order": False,  # less memory; what needs an order asks for it
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(config=settings | ({"threads": threads} if threads else {}))
    connection.execute(MACROS)
    connection.execute("CREATE TABLE prefixes (name VARCHAR, icd INTEGER, prefix VARCHAR)")
    connection.executemany("INSERT INTO prefixes VALUES (?, ?, ?)", [list(p) for p in prefixes()])
    return connection


def _error() -> type[Exception]:
    import duckdb

    return duckdb.Error


def _reason(error: Exception) -> str:
    """What kind of error it was and where; never what DuckDB quotes of a file, which is a patient's."""
    kind = type(error).__name__
    if kind == "OutOfMemoryException":
        return ": it needs more memory, which --memory-gb gives"
    if kind == "IOException":
        return ": a file could not be read or written; is the disk full?"
    found = re.search(r"Line: (\d+)", str(error))
    return f": look at line {found[1]}" if found else f" ({kind})"


def _quoted(text: str | Path) -> str:
    """For use between single quotes in SQL."""
    return str(text).replace("'", "''")


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
