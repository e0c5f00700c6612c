"""The C floor of the sweep benchmarks: compiles `floor.c` for this machine and calls it on NumPy arrays."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = Path(__file__).with_name("floor.c")
FLAGS = ("-O3", "-march=native", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread")


class _Job(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("opens", "closes", "prices", "sums", "fast", "slow")),
        *((name, ctypes.c_int64) for name in ("groups", "bars", "combinations", "unit", "ppm", "cash")),
        ("band", ctypes.c_double),
        ("whole", ctypes.c_void_p),
        ("real", ctypes.c_void_p),
    )


class Floor:
    """The compiled floor."""

    def __init__(self, folder: Path) -> None:
        """Compile into a folder."""
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            message = "No C compiler was found. Install gcc to measure the floor."
            raise SystemExit(message)
        library = folder / "floor.so"
        subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(library)], check=True)
        self._sweep = ctypes.CDLL(str(library)).sweep
        self._sweep.argtypes = [_Job, ctypes.c_int64]

    def sweep(
        self,
        opens: Any,
        closes: Any,
        prices: Any,
        pairs: Any,
        *,
        unit: int,
        ppm: int,
        cash: int,
        band: float,
        threads: int,
    ) -> tuple[Any, Any]:
        """Totals (K, G, 4) and (K, G, 6) of K pairs of lengths over G symbols; prices and ticks are (G, T)."""
        groups, bars = closes.shape
        arrays = {
            "opens": np.ascontiguousarray(opens),
            "closes": np.ascontiguousarray(closes),
            "prices": np.ascontiguousarray(prices),
            "sums": np.empty((groups, bars + 1), dtype=np.int64),
            "fast": np.ascontiguousarray(pairs[:, 0], dtype=np.int64),
            "slow": np.ascontiguousarray(pairs[:, 1], dtype=np.int64),
            "whole": np.zeros((len(pairs), groups, 4), dtype=np.int64),
            "real": np.zeros((len(pairs), groups, 6)),
        }
        pointers = {name: array.ctypes.data for name, array in arrays.items()}
        job = _Job(
            groups=groups, bars=bars, combinations=len(pairs), unit=unit, ppm=ppm, cash=cash, band=band, **pointers
        )
        if self._sweep(job, threads) != 0:
            message = "The floor ran out of memory. Use fewer combinations."
            raise SystemExit(message)
        return arrays["whole"], arrays["real"]
