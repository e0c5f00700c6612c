import numpy as np
import pytest

from nt_ray.neural.scoring.conformal import conformal_rank
from nt_ray.neural.scoring.ordered import rolling_quantiles
from nt_ray.neural.scoring.scores import ScoreError


def test_rolling_quantiles_are_those_of_a_window_sorted_anew() -> None:
    rng = np.random.default_rng(0)
    # Whole numbers, so that ties leave and enter the window.
    scores = rng.integers(-4, 5, (2, 150, 2)).astype(float)
    scores[0, 30:45, 1] = np.nan
    origins = np.cumsum(rng.integers(1, 3, 150))
    levels = np.array([0.1, 0.5, 0.9])
    found = rolling_quantiles(scores, origins, levels, 25)
    for s in range(2):
        for h in range(2):
            for o in range(150):
                known = [v for p, v in enumerate(scores[s, :, h]) if p < o and origins[p] + h + 1 <= origins[o]]
                window = sorted(v for v in [v for v in known if not np.isnan(v)][-25:])
                ranks = [conformal_rank(len(window), level) for level in levels]
                expected = [window[r - 1] if r <= len(window) else np.inf for r in ranks]
                np.testing.assert_array_equal(found[s, o, h], expected)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(ScoreError, match="window=0"):
        rolling_quantiles(np.ones((1, 3, 1)), np.arange(3), np.array([0.5]), 0)
