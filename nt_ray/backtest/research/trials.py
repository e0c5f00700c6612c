"""Trials: what every candidate would have earned, row by row; the raw material of multiple-testing corrections."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.schedule import Stage, Stretch
from nt_ray.backtest.research.study import Study
from nt_ray.types import FloatArray


def trial_returns(study: Study, first: int = 1, after: int | None = None, *, workers: int = 1) -> FloatArray:
    """Simple returns of each candidate on rows first..after-1, shape (after - first, K).

    Each candidate trades an account of its own, from flat, after `study.warm` rows of looking on. Raises where an
    account is ruined: a trial without equity has no returns.
    """
    stage = study.stage()
    after = len(study.panel) if after is None else after
    returns = np.empty((after - first, len(study.candidates)))

    def run(k: int) -> None:
        returns[:, k] = _returns(study, stage, k, first, after)

    if workers <= 1:
        for k in range(len(study.candidates)):
            run(k)
    else:
        with ThreadPoolExecutor(workers, thread_name_prefix="trials") as pool:
            list(pool.map(run, range(len(study.candidates))))
    return returns


def _returns(study: Study, stage: Stage, k: int, first: int, after: int) -> FloatArray:
    equity = stage.run([Stretch(study.candidates[k], first, after)], warm=study.warm).equity
    if equity.min() <= 0.0:
        raise ResearchError(f"Candidate {k} loses its whole account. Bound its size, or leave it out.")
    result: FloatArray = equity[1:] / equity[:-1] - 1.0
    return result
