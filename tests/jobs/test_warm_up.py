import sys
from importlib import import_module

from numba.core.dispatcher import Dispatcher

from jobs.warm_up import compiling


def test_no_module_that_compiles_functions_is_left_out() -> None:
    named = compiling()
    for name in named:
        import_module(name)
    owners = {
        value.py_func.__module__
        for name, module in sys.modules.items()
        if name.startswith("nt_ray.")
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    }
    found = {name for name in owners if name.startswith("nt_ray.")}
    assert "nt_ray.portfolio.sizing" in found
    assert found <= {*named}
