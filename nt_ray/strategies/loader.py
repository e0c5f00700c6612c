"""A strategy from a user's own file: `my_strategy.py:MyStrategy` wherever a strategy's name may stand.

The file is imported by its path under a module name that derives from that path, once a process, and again where
the file has changed. A relative path is looked for in the working folder and then along the import path; from then
on the strategy is known by the whole path, so the processes of a cluster find what the driver found. The object
must be a `Strategy`; its step may be compiled with `STEP_SIGNATURE` or be a plain function, which is compiled
here, with its indices checked: one beyond an array raises instead of writing into foreign memory. Importing a file
runs it: give only files you trust.
"""

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

from numba import njit
from numba.core.errors import NumbaError
from numba.core.registry import CPUDispatcher

from nt_ray.errors import StrategyError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.order_step import OrderStrategy

Preparation: TypeAlias = Callable[[BarPanel], BarPanel]

DEFAULT_OBJECT = "STRATEGY"
"""Name that is looked for where a reference names none."""

_LOADED: dict[str, tuple[str, Strategy]] = {}
"""Strategies by reference, each with the digest of the file it came from."""


class LoadError(StrategyError):
    """A file that holds no usable strategy."""

    code = "strategy_file"


def is_reference(name: str) -> bool:
    """Whether a name means a file: `path.py` or `path.py:Object`."""
    path, _, _ = _split(name)
    return path.endswith(".py")


def load(reference: str) -> Strategy:
    """Strategy of a reference; its name is the reference with the whole path, so every process finds it again."""
    found = load_object(reference, lambda value: isinstance(value, Strategy))
    if found.key not in _LOADED or _LOADED[found.key][0] != found.digest:
        _LOADED[found.key] = (found.digest, _checked(_strategy(found), found.place))
    return replace(_LOADED[found.key][1], name=found.key)


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference means: the file's module, and the name of an object that may be there."""

    key: str
    """The reference with the whole path."""
    place: str
    """The reference as it was given, with the object's name."""
    digest: str
    module: ModuleType
    name: str

    @property
    def value(self) -> Any:
        """The object; None where the file has none of this name."""
        return getattr(self.module, self.name, None)


def load_object(reference: str, fits: Callable[[Any], bool]) -> Found:
    """Import a file and find the object that is named; where none is, `STRATEGY`, or the only one that fits."""
    text, colon, name = _split(reference)
    if colon and not name:
        raise LoadError(f"{reference!r} names no object after the colon. Write {text}:NAME, or {text} alone.")
    path = _find(text)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise LoadError(f"{text} cannot be read ({error.strerror}). Check its permissions.") from error
    digest = hashlib.sha256(source).hexdigest()
    module = _import(path, digest)
    if not name:
        fitting = [key for key, value in vars(module).items() if fits(value)]
        name = fitting[0] if len(fitting) == 1 and DEFAULT_OBJECT not in vars(module) else DEFAULT_OBJECT
    return Found(f"{path}:{name}", f"{text}:{name}", digest, module, name)


def preparation(name: str) -> Preparation | None:
    """Function `prepare(panel) -> panel` of the file a reference means, or None where there is none.

    It adds the fields that the strategy reads; row t of a field may depend on bars up to t alone.
    """
    if not is_reference(name):
        return None
    text, _, _ = _split(name)
    path = _find(text)
    found = getattr(_import(path, hashlib.sha256(path.read_bytes()).hexdigest()), "prepare", None)
    return found if callable(found) else None


def prepared(name: str, panel: BarPanel) -> BarPanel:
    """Panel with the fields that the file of a strategy adds; the same panel where it adds none."""
    prepare = preparation(name)
    if prepare is None:
        return panel
    made = prepare(panel)
    if not isinstance(made, BarPanel) or made.symbols != panel.symbols or len(made) != len(panel):
        raise LoadError(f"{name}: prepare(panel) gave no panel of the same bars. Return panel.with_field(...).")
    return made


def label(name: str) -> str:
    """Word for a strategy in names of folders and orders: its name, or the object of a reference."""
    path, _, found = _split(name)
    return (found or Path(path).stem) if is_reference(name) else name


def _split(reference: str) -> tuple[str, str, str]:
    """Path, colon and object; a drive letter's colon stays with the path."""
    text = reference.strip()
    path, colon, name = text.rpartition(":")
    return (path.strip(), colon, name.strip()) if colon and path.strip().endswith(".py") else (text, "", "")


def _find(text: str) -> Path:
    path = Path(text).expanduser()
    places = [path] if path.is_absolute() else [Path.cwd() / path, *(Path(p) / path for p in sys.path if p)]
    found = next((p for p in places if p.is_file()), None)
    if found is None:
        raise LoadError(f"There is no file {text} (looked from {Path.cwd()}). Check the path.")
    return found.resolve()


def _import(path: Path, digest: str) -> ModuleType:
    """Run the file as a module of its own; compiled code keeps its cache beside the file."""
    name = f"nt_ray_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__nt_ray_digest__", None) == digest:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} cannot be imported. Give a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    failure: Exception | None = None
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 foreign code may raise anything; it goes on below with its place
        failure = error
    if failure is not None:
        del sys.modules[name]
        reason = f"{type(failure).__name__}: {failure}"
        raise LoadError(f"{path} cannot be imported: {reason}. Mend the file.") from failure
    module.__dict__["__nt_ray_digest__"] = digest
    return module


def _strategy(found: Found) -> Strategy:
    there = [key for key, value in vars(found.module).items() if isinstance(value, Strategy)]
    if not hasattr(found.module, found.name):
        remedy = f"It has: {', '.join(there)}" if there else "It has no Strategy; define one"
        raise LoadError(f"{found.place} has no object {found.name!r}. {remedy}.")
    if isinstance(found.value, OrderStrategy) or hasattr(found.value, "on_bar"):
        raise LoadError(
            f"{found.place} gives orders, which `nt-ray backtest` and `nt-ray check` alone run. "
            "Here targets are needed; give a Strategy."
        )
    if not isinstance(found.value, Strategy):
        raise LoadError(
            f"{found.place.rpartition(':')[0]}: {found.name} is a {type(found.value).__name__}, not a Strategy. "
            f"Write {found.name} = Strategy(name=..., step=step, ...) from nt_ray.strategies.base."
        )
    return found.value


def _checked(strategy: Strategy, place: str) -> Strategy:
    """Strategy with a compiled step, or the first fault of its fields."""
    if not isinstance(strategy.width, int) or strategy.width < 1:
        raise LoadError(f"{place}: width is {strategy.width!r}. Give the number of symbols a step looks at.")
    wrong = next((p for p in strategy.parameters if not isinstance(p, Parameter)), None)
    if wrong is not None:
        raise LoadError(f"{place}: {wrong!r} among the parameters is no Parameter. Write Parameter(name, ...).")
    names = [key for p in strategy.parameters for key in (p.name, *p.aliases)]
    if len(set(names)) != len(names):
        raise LoadError(f"{place}: a parameter name stands twice among {', '.join(names)}. Name each once.")
    size = strategy.state_size(strategy.vector())
    if int(size) != size or size < 0:
        raise LoadError(f"{place}: state_size gave {size!r} for the defaults. Return a whole number from 0.")
    form = "step(state, bar, params, targets) -> float"
    return replace(strategy, step=compiled(strategy.step, STEP_SIGNATURE, "STEP_SIGNATURE", form, place))


def compiled(step: Any, signature: Any, signature_name: str, form: str, place: str) -> Any:
    """Step that has exactly this signature, compiled here where it is a plain function of this form."""
    if isinstance(step, FunctionType):
        step = _compile(lambda: njit(signature, nogil=True, boundscheck=True)(step), form, place)
    if not isinstance(step, CPUDispatcher):
        raise LoadError(f"{place}: step is a {type(step).__name__}. Give a function: {form}.")
    dispatcher: Any = step
    if not dispatcher.overloads:
        _compile(lambda: dispatcher.compile(signature), form, place)
    made = dispatcher.overloads.get(signature.args)
    if made is None or made.signature.return_type != signature.return_type:
        has = ", ".join(str(o.signature) for o in dispatcher.overloads.values())
        raise LoadError(
            f"{place}: step has the signature {has}, not {signature}. Decorate it with @njit({signature_name})."
        )
    return dispatcher


def _compile(work: Callable[[], Any], form: str, place: str) -> Any:
    try:
        return work()
    except (NumbaError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise LoadError(
            f"{place}: {form} does not compile: {' '.join(lines[:3])}. Use what Numba knows: numbers, arrays, loops."
        ) from error
