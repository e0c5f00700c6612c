"""The book under stress: weights by name, the class of each, and the covariance they move with in calm times."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_weights
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite
from nt_ray.risk.stress.classes import guess_class
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Positions as fractions of equity, shorts negative; what is not invested is cash, which no shock touches."""

    names: tuple[str, ...]
    weights: FloatArray
    """(N,)"""
    classes: tuple[str, ...]
    """(N,) class of each, by which a shock may name it."""
    covariance: FloatArray | None = None
    """(N, N) of simple returns of one day; without it nothing is said of what follows a shock."""
    notes: tuple[str, ...] = ()
    """Assumptions in the book itself, such as guessed classes."""

    def __post_init__(self) -> None:
        count = len(self.names)
        if not count or len(set(self.names)) != count or len(self.classes) != count:
            raise RiskError(
                f"The book has {count} names, {len(set(self.names))} of them distinct, and {len(self.classes)} classes."
                " Give distinct names and one class each."
            )
        object.__setattr__(self, "weights", check_weights(self.weights, count))
        if self.covariance is not None:
            matrix = check_covariance(self.covariance, names=self.names)
            if matrix.shape[0] != count:
                raise RiskError(
                    f"The covariance is of {matrix.shape[0]} assets, the book of {count}. Give one of each."
                )
            check_semidefinite(matrix)
            object.__setattr__(self, "covariance", matrix)

    def by_class(self, values: FloatArray) -> dict[str, float]:
        """Sum values (N,) by class."""
        sums: dict[str, float] = {}
        for kind, value in zip(self.classes, values, strict=True):
            sums[kind] = sums.get(kind, 0.0) + float(value)
        return sums


def book_of(
    weights: Mapping[str, float],
    *,
    classes: Mapping[str, str] | None = None,
    covariance: FloatArray | None = None,
) -> Book:
    """Book of weights by symbol; classes that are not given are guessed from the symbol, and the notes say which."""
    given = classes or {}
    unknown = [name for name in given if name not in weights]
    if unknown:
        raise RiskError(
            f"A class is given for {unknown[0]!r}, which the book does not hold. Known: {', '.join(weights)}."
        )
    guessed = {name: guess_class(name) for name in weights if name not in given}
    note = "classes guessed from symbols: " + ", ".join(f"{name} {kind}" for name, kind in guessed.items())
    return Book(
        names=tuple(weights),
        weights=np.array(list(weights.values()), dtype=np.float64),
        classes=tuple(str(given.get(name) or guessed[name]) for name in weights),
        covariance=covariance,
        notes=(note,) if guessed else (),
    )
