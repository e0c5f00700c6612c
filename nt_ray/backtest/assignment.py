"""What `NAME=VALUES` means wherever parameters are given as text: numbers, lists and stretches of numbers.

One grammar for sweeps, searches, walk-forward and single runs: VALUES are terms between commas, a term is a number,
`LOW:HIGH`, `LOW:HIGH:STEP` or `LOW:HIGH:log`. Numbers are decimals until they are counted out, so both ends of a
stretch are hit. Which names there are, which terms make sense and in which range is for those who use them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

from nt_ray.errors import StrategyError

MOST_VALUES: Final = 1_000_000
"""Most values of one parameter."""


class AssignmentError(StrategyError):
    """Text that assigns no values to a parameter."""

    code = "parameters"


@dataclass(frozen=True, slots=True)
class Stretch:
    """All numbers from `low` to `high`, both included; in steps where there is one, even in logarithm where asked."""

    low: Decimal
    high: Decimal
    step: Decimal | None = None
    log: bool = False

    def __str__(self) -> str:
        rest = ":log" if self.log else "" if self.step is None else f":{self.step}"
        return f"{self.low}:{self.high}{rest}"


Term: TypeAlias = Decimal | Stretch


def assignments(texts: Iterable[str]) -> dict[str, tuple[Term, ...]]:
    """Read texts such as `lookback=20:200:20` and `entry=0.5,1`; each name stands once."""
    result: dict[str, tuple[Term, ...]] = {}
    for text in texts:
        name, equals, written = (part.strip() for part in text.partition("="))
        if not equals or not name or not written:
            raise AssignmentError(
                f"--param {text!r} has no NAME=VALUES form. Write it like lookback=20:200:20 or entry=0.5,1."
            )
        if name in result:
            raise AssignmentError(f"--param {name} is given twice. Join its values with commas.")
        result[name] = tuple(_term(name, part.strip()) for part in written.split(","))
    return result


def grids(texts: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """Read values to try, counted out; a stretch without a step goes by whole ones."""
    return {name: counted(name, terms) for name, terms in assignments(texts).items()}


def numbers(texts: Iterable[str]) -> dict[str, float]:
    """Read one number for each name."""
    result: dict[str, float] = {}
    for name, terms in assignments(texts).items():
        if len(terms) != 1 or isinstance(terms[0], Stretch):
            listed = ",".join(str(t) for t in terms)
            raise AssignmentError(f"--param {name}={listed} is not one number. Write it like lookback=20.")
        result[name] = float(terms[0])
    return result


def counted(name: str, terms: Iterable[Term]) -> tuple[float, ...]:
    """Values of terms one by one, each once."""
    values: list[float] = []
    for term in terms:
        values += [float(term)] if isinstance(term, Decimal) else _steps(name, term)
    if len(set(values)) != len(values):
        twice = next(v for v in values if values.count(v) > 1)
        raise AssignmentError(f"--param {name} has the value {twice:g} twice. Give each value once.")
    return tuple(values)


def _term(name: str, text: str) -> Term:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        return _number(name, text)
    low, high = _number(name, parts[0]), _number(name, parts[1])
    log = parts[2:] == ["log"]
    step = _number(name, parts[2]) if len(parts) > 2 and not log else None
    if len(parts) > 3 or high < low or (step is not None and step <= 0) or (log and low <= 0):
        raise AssignmentError(
            f"--param {name}: {text!r} is no range. Write LOW:HIGH, LOW:HIGH:STEP with a step above zero, or "
            "LOW:HIGH:log above zero, LOW not above HIGH."
        )
    return Stretch(low, high, step, log)


def _steps(name: str, stretch: Stretch) -> list[float]:
    if stretch.log:
        raise AssignmentError(f"--param {name}={stretch} cannot be counted out. Give a step, or a list of values.")
    step = stretch.step or Decimal(1)
    count = int((stretch.high - stretch.low) / step) + 1
    if count > MOST_VALUES:
        raise AssignmentError(f"--param {name}={stretch} has {count:,} values. Use at most {MOST_VALUES:,}.")
    # Each value from the first, not from the one before, so that rounding does not add up.
    return [float(stretch.low + step * i) for i in range(count)]


def _number(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise AssignmentError(
            f"--param {name}: {text!r} is no number. Write it like lookback=20:200:20 or entry=0.5,1."
        )
    return value
