import numpy as np
import pytest

from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.neural.scoring.spread import recent_errors


def test_the_spread_is_the_weighted_mean_of_errors_known_by_then() -> None:
    rng = np.random.default_rng(0)
    truth, mean = rng.normal(size=(2, 40, 3)), rng.normal(size=(2, 40, 3))
    truth[1, 10, 0] = np.nan
    origins = np.arange(0, 80, 2)
    found = recent_errors(truth, mean, origins, halflife=5.0)
    for s in range(2):
        for h in range(3):
            for o in range(40):
                known = [p for p in range(40) if origins[p] + h + 1 <= origins[o] and np.isfinite(truth[s, p, h])]
                errors = [abs(truth[s, p, h] - mean[s, p, h]) for p in known]
                # Weights halve every five known errors.
                weights = [0.5 ** ((len(known) - 1 - i) / 5.0) for i in range(len(known))]
                expected = np.average(errors, weights=weights) if known else 1.0
                assert found[s, o, h] == pytest.approx(expected, rel=1e-12)


def test_a_spread_is_never_zero() -> None:
    nothing = np.zeros((1, 5, 1))
    assert (recent_errors(nothing, nothing, np.arange(5)) == 1.0).all()
    with pytest.raises(ScoreError, match="halflife=0"):
        recent_errors(nothing, nothing, np.arange(5), halflife=0)
