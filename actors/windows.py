"""Windows of a walk-forward as Ray tasks: bars go into the object store once, and every window is a task of its own.

A window is a function of its study and split, so Ray may repeat it anywhere; results do not depend on where it ran.
An error of the platform's own, such as a strategy's fault, arrives as what it was on the worker.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import ray
from ray.exceptions import RayTaskError

from nt_ray.backtest.research.splits import Split
from nt_ray.backtest.research.study import Fit, Study, fit
from nt_ray.errors import NeuralTraderError
from nt_ray.strategies.registry import find


def over_ray(study: Study, splits: Sequence[Split]) -> Iterator[Fit]:
    """Answer windows on the connected cluster; yield fits as they are done."""
    # Compiled steps stay at home: a worker has its own, under the same name.
    parts = {f.name: getattr(study, f.name) for f in fields(study) if f.name != "strategy"}
    stored = ray.put(parts)
    waiting = [_answer.remote(stored, study.strategy.name, n, split) for n, split in enumerate(splits)]
    try:
        while waiting:
            done, waiting = ray.wait(waiting)
            yield _answered(done[0])
    finally:
        for ref in waiting:
            ray.cancel(ref)


def _answered(ref: Any) -> Fit:
    try:
        found: Fit = ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, NeuralTraderError):
            raise error.cause from None
        raise
    return found


@ray.remote(num_cpus=1, max_retries=3)
def _answer(parts: dict[str, Any], strategy: str, number: int, split: Split) -> Fit:
    study = Study(strategy=find(strategy), **parts)
    return fit(study, study.stage(), number, split)
