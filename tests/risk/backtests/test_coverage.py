from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nt_ray.errors import RiskError
from nt_ray.risk.backtests.coverage import (
    Transitions,
    conditional_coverage,
    coverage_tests,
    independence,
    kupiec,
    transitions_of,
)


def test_jorions_bank_is_reproduced() -> None:
    # Jorion, Value at Risk, chapter 6, J.P. Morgan in 1998: 20 exceptions in 252 days at 95 %, six of them after
    # another, 14 after none. LR 3.91 for frequency, 9.53 for independence, 13.44 together.
    frequency = kupiec(20, 252, 0.95)
    clustering = independence(
        Transitions(calm_to_calm=218, calm_to_violation=14, violation_to_calm=14, violation_to_violation=6)
    )
    both = conditional_coverage(frequency, clustering)
    assert [round(test.statistic, 2) for test in (frequency, clustering, both)] == [3.91, 9.53, 13.44]
    assert [test.degrees for test in (frequency, clustering, both)] == [1, 1, 2]
    assert frequency.rejects()
    assert both.rejects(0.01)
    assert both.p_value == pytest.approx(stats.chi2.sf(both.statistic, 2), rel=1e-12)


@pytest.mark.parametrize(
    ("confidence", "days", "low", "high"),
    [
        (0.99, 255, None, 7), (0.99, 510, 1, 11), (0.99, 1000, 4, 17),
        (0.975, 255, 2, 12), (0.975, 510, 6, 21), (0.975, 1000, 15, 36),
        (0.95, 255, 6, 21), (0.95, 510, 16, 36), (0.95, 1000, 37, 65),
        (0.925, 255, 11, 28), (0.925, 510, 27, 51), (0.925, 1000, 59, 92),
        (0.90, 255, 16, 36), (0.90, 510, 38, 65), (0.90, 1000, 81, 120),
    ],
)  # fmt: skip
def test_kupiecs_regions_of_acceptance_are_reproduced(confidence: float, days: int, low: int | None, high: int) -> None:
    # Kupiec (1995), table of the numbers of failures between which a model is kept at the 5 % level.
    assert kupiec(high, days, confidence).rejects()
    assert not kupiec(high - 1, days, confidence).rejects()
    if low is not None:
        assert kupiec(low, days, confidence).rejects()
        assert not kupiec(low + 1, days, confidence).rejects()


def test_no_violation_and_nothing_but_violations_are_legal() -> None:
    assert kupiec(0, 250, 0.99).statistic == pytest.approx(-500.0 * np.log(0.99), rel=1e-12)
    assert kupiec(250, 250, 0.99).statistic == pytest.approx(-500.0 * np.log(0.01), rel=1e-12)
    for hits in (np.zeros(50, dtype=bool), np.ones(50, dtype=bool)):
        _, clustering, joint = coverage_tests(hits, 0.95)
        assert (clustering.statistic, clustering.p_value) == (0.0, 1.0)
        assert joint.statistic == kupiec(int(hits.sum()), 50, 0.95).statistic


@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_transitions_are_counted_pair_by_pair(hits: list[bool]) -> None:
    pairs = list(pairwise(hits))
    found = transitions_of(np.array(hits))
    assert found.calm_to_calm == pairs.count((False, False))
    assert found.calm_to_violation == pairs.count((False, True))
    assert found.violation_to_calm == pairs.count((True, False))
    assert found.violation_to_violation == pairs.count((True, True))
    assert independence(found).statistic >= 0.0


@settings(max_examples=60)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 80), st.integers(1, 80))
def test_independence_is_the_g_statistic_of_the_table_of_transitions(a: int, b: int, c: int, d: int) -> None:
    found = independence(
        Transitions(calm_to_calm=a, calm_to_violation=b, violation_to_calm=c, violation_to_violation=d)
    )
    g = stats.chi2_contingency([[a, b], [c, d]], correction=False, lambda_="log-likelihood")
    assert found.statistic == pytest.approx(g.statistic, rel=1e-8, abs=1e-9)


def test_clusters_are_found_and_their_absence_too() -> None:
    clustered = np.zeros(500, dtype=bool)
    clustered[100:125] = True
    assert coverage_tests(clustered, 0.95)[1].p_value < 1e-10
    spread = np.zeros(500, dtype=bool)
    spread[::20] = True
    assert not coverage_tests(spread, 0.95)[2].rejects()


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(RiskError, match="251 violations of 250"):
        kupiec(251, 250, 0.99)
    with pytest.raises(RiskError, match=r"2\.5 violations"):
        kupiec(2.5, 250, 0.99)  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="cannot be counted"):
        Transitions(calm_to_calm=-1, calm_to_violation=2, violation_to_calm=0, violation_to_violation=0)
    with pytest.raises(RiskError, match="two or more truth values"):
        coverage_tests(np.array([0.0, 1.0]), 0.95)
