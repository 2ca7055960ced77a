"""Writes the .parquet files of this folder; usage: python tables.py FOLDER"""

import datetime
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

folder = Path(sys.argv[1])


def write(name, columns, **options):
    pq.write_table(pa.table(columns), folder / f"{name}.parquet", **options)


rows = range(10)
kinds = {
    "bool": pa.array([row % 3 == 0 for row in rows], pa.bool_()),
    "int8": pa.array([row - 5 for row in rows], pa.int8()),
    "uint8": pa.array([2**8 - 1 - row for row in rows], pa.uint8()),
    "int16": pa.array([-100 * row for row in rows], pa.int16()),
    "int32": pa.array([-100_000 * row for row in rows], pa.int32()),
    "uint32": pa.array([2**32 - 1 - row for row in rows], pa.uint32()),
    "int64": pa.array([2**40 * (row - 5) for row in rows], pa.int64()),
    "uint64": pa.array([2**63 + 2048 * row for row in rows], pa.uint64()),
    "float16": pa.array(np.arange(10, dtype=np.float16) / np.float16(4), pa.float16()),
    "float32": pa.array([row / 8 for row in rows], pa.float32()),
    "float64": pa.array([row / 3 for row in rows], pa.float64()),
}
write("kinds-zstd", kinds, row_group_size=4, compression="zstd", data_page_version="2.0")
write("kinds-snappy-v1", kinds, row_group_size=3, compression="snappy", use_dictionary=False)
write("nulls", {"first": list(map(float, rows)), "second": [None if row == 6 else row for row in rows]}, row_group_size=4)
write("text", {"first": [1.0], "who": ["alice"]})
write("dates", {"first": [1.0], "when": [datetime.date(2024, 1, 1)]})
write("lists", {"many": [[1.0, 2.0]]})
write("pandas-index", {"x": [0.5, 1.5, 2.5], "__index_level_0__": [7, 3, 9]})
samples = {
    "a": [row / 100 for row in range(100)],
    "b": [row % 2 == 1 for row in range(100)],
    "c": pa.array([-1] * 100, pa.int32()),
}
write("samples", samples, row_group_size=13)
