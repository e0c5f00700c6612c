import dataclasses

import numpy as np
import pytest

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.study import Study
from nt_ray.backtest.research.trials import trial_returns
from nt_ray.backtest.simulator import backtest


def test_trials_are_the_returns_of_each_candidates_backtest(study: Study) -> None:
    table = trial_returns(dataclasses.replace(study, warm=0), workers=2)
    assert table.shape == (len(study.panel) - 1, 6)
    for k, params in enumerate(study.candidates):
        plain = backtest(
            study.panel, study.strategy, params, sizing=study.sizing, costs=study.costs, initial_cash=study.cash
        )
        equity = plain.equity_quanta / 1e8
        assert table[:, k].tolist() == (equity[1:] / equity[:-1] - 1.0).tolist()


def test_trials_over_a_part_of_the_rows_start_flat(study: Study) -> None:
    part = trial_returns(study, 500, 800)
    assert part.shape == (300, 6)
    assert np.isfinite(part).all()


def test_a_ruined_trial_is_refused(study: Study) -> None:
    panel = study.panel
    values = panel.values.copy()
    values[700:] *= 0.001
    wild = dataclasses.replace(
        study,
        panel=dataclasses.replace(panel, timestamps=panel.timestamps.copy(), values=values),
        sizing=dataclasses.replace(study.sizing, max_weight=2.0, max_gross=6.0, max_net=6.0, target_volatility=2.0),
    )
    with pytest.raises(ResearchError, match="loses its whole account"):
        trial_returns(wild)
