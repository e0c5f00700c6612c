"""A hint to the processor: this place of an array will be read soon. It changes no result.

The prices that orders of a long tape meet lie too far apart for the processor to guess which comes next, so without a
hint each of them is waited for.
"""

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

READ, KEEP, DATA = 0, 3, 1
_tools: Any = cgutils
_view: Any = make_array


def _hint(typing: Any, array: Any, place: Any) -> Any:
    """Types of the call, and what emits it."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _view(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), _tools.voidptr_t)
        number = _tools.int32_t
        kind = _tools.ir.FunctionType(_tools.ir.VoidType(), [_tools.voidptr_t, number, number, number])
        hint = _tools.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(hint, [pointer, number(READ), number(KEEP), number(DATA)])
        return context.get_dummy_value()

    return types.void(array, place), emit


prefetch: Any = intrinsic(_hint)
"""`prefetch(array, place)` asks for `array[place]`, of one dimension and contiguous; a place outside is no error."""
