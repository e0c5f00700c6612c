"""Aliases shared by every room, and the fixed scales of exact arithmetic."""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
ByteArray: TypeAlias = npt.NDArray[np.int8]
WordArray: TypeAlias = npt.NDArray[np.uint64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

MONEY_DECIMALS: Final = 8
"""Money is exact to this many decimals everywhere: `Decimal` in the books, `int64` quanta in kernels."""

QUANTITY_DECIMALS: Final = 9
"""Quantities are exact to this many decimals in orders, executions and books."""

QUANTA_PER_UNIT: Final = 10**MONEY_DECIMALS
"""Money quanta in one unit of currency (1 USD = 100,000,000 quanta)."""
