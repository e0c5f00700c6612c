"""Kernels of the sweep, compiled on first use and kept on disk: one for each strategy, its step inlined.

`kernel_of` gives two kinds with one signature and the same results to the last bit: the step as a constant (faster,
compiled once for each strategy) and the step as a first-class function (one kernel for all). Where a tape carries
prefix sums, votes are told from them and the step is not called (`crossing.py`).

The name under which a kernel lies on disk carries a digest of the platform's compiled code and of the strategy's own
file, so a kernel never outlives the code it was made of, and a second process starts at once.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from numba import float64, int64, njit, types, void
from numba.core.dispatcher import Dispatcher

from nt_ray.backtest.sweep import crossing
from nt_ray.backtest.sweep.group import run_groups
from nt_ray.backtest.sweep.single import run_singles
from nt_ray.strategies.base import STEP_TYPE, Strategy

_F3, _F4 = (types.Array(float64, n, "C", readonly=True) for n in (3, 4))
_I2, _I3 = (types.Array(int64, n, "C", readonly=True) for n in (2, 3))
_INPUTS = (
    float64[:, ::1], int64[::1], _F4, _I3, _I3, int64[:, ::1], _I3, _F3, _F3, int64[:, ::1], float64[:, ::1],
    int64[:, :, ::1], float64[::1], int64, _I2, _I2, int64[:, ::1], int64[:, :, ::1],
    float64[:, :, ::1],
)  # fmt: skip
SIGNATURE = void(STEP_TYPE, types.Tuple(_INPUTS))  # type: ignore[no-untyped-call]

ROOMS = ("features", "strategies", "market/bars.py", "portfolio", "brokers/simulated", "backtest", "types.py")
"""Where compiled code of a kernel comes from."""

_constant = ModuleType("constant")
"""Stands for the module that holds a strategy's step; each kernel is made with globals of its own, in which it is
that. A function that is an attribute of a module leaves no address in compiled code, so the code can be kept."""


class Kind(StrEnum):
    """How a kernel comes by its votes."""

    INLINED = "inlined"
    GENERIC = "generic"


def kernel_of(strategy: Strategy, kind: Kind = Kind.INLINED, *, shared: bool = False) -> Callable[..., None]:
    """Return the compiled kernel for a strategy; `shared` for tapes that carry sums, for which no step is called."""
    step = crossing.idle if shared else strategy.step
    if kind is Kind.GENERIC or not _can_inline(step):
        step = None
    key = (strategy.width == 1, step)
    with _LOCK:
        if key not in _KERNELS:
            _KERNELS[key] = _compile(*key)
        return _KERNELS[key]


def _can_inline(step: Any) -> bool:
    """Whether a step is compiled and the only one under its name: one made inside a function may have twins."""
    return isinstance(step, Dispatcher) and bool(step.signatures) and step.py_func.__closure__ is None


_LOCK = threading.Lock()
_KERNELS: dict[tuple[bool, Any], Callable[..., None]] = {}


def _compile(single: bool, step: Any) -> Callable[..., None]:
    """Compile a template, or load it: under a name of its own, with the step within its globals."""
    if step is None:
        template, own, what = (_generic_single if single else _generic_group), [], ""
    else:
        template = _inlined_single if single else _inlined_group
        own = [Path(step.py_func.__code__.co_filename)]
        what = f"_{step.py_func.__module__}_{step.py_func.__qualname__}"
    name = re.sub(r"[^0-9A-Za-z]+", "_", f"{template.__name__}{what}_{code_digest(own)[:16]}")
    constant = ModuleType("constant")
    constant.step = step  # type: ignore[attr-defined]
    function = FunctionType(template.__code__, {**globals(), "_constant": constant}, name)
    function.__module__, function.__qualname__ = __name__, name
    compiled: Callable[..., None] = njit(SIGNATURE, cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def code_digest(files: Iterable[Path] = ()) -> str:
    """SHA-256 of the source of all compiled code that a sweep may call, and of further files."""
    root = Path(__file__).parents[2]
    places = [root / room for room in ROOMS]
    sources = [p for place in places for p in (place.rglob("*.py") if place.is_dir() else [place])]
    sha = hashlib.sha256()
    for path in sorted({*sources, *(f for f in files if f.is_file())}):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def _inlined_single(step: Any, inputs: Any) -> None:
    run_singles(_constant.step, inputs)


def _inlined_group(step: Any, inputs: Any) -> None:
    run_groups(_constant.step, inputs)


def _generic_single(step: Any, inputs: Any) -> None:
    run_singles(step, inputs)


def _generic_group(step: Any, inputs: Any) -> None:
    run_groups(step, inputs)
