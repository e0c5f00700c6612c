"""Against the whole program of Rockafellar and Uryasev, stated anew with variables of its own and solved by SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from nt_ray.errors import RiskError
from nt_ray.market.bars import CLOSE
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.optimise.constraints import Constraints, Linear, sector
from nt_ray.portfolio.optimise.cvar import TailStart, cvar_frontier, mean_cvar, min_cvar
from nt_ray.portfolio.optimise.solution import InfeasibleError, UnsolvedError
from nt_ray.risk.historical import historical_es

PLAIN = Constraints()


def whole(returns, confidence, c, *, expected=None, target=None, aversion=None):
    """Optimum of the whole program; variables w, t, z, |w - previous|, |w|."""
    T, N = returns.shape
    lower, upper = np.broadcast_to(c.lower, N), np.broadcast_to(c.upper, N)
    previous = np.zeros(N) if c.previous is None else c.previous
    eye, no = np.eye(N), np.zeros((N, N))
    blank = np.zeros((N, 1 + T))
    rows = [np.hstack([-returns, -np.ones((T, 1)), -np.eye(T), np.zeros((T, 2 * N))])]
    rows += [np.hstack([s * eye, blank, -eye, no]) for s in (1, -1)]
    rows += [np.hstack([s * eye, blank, no, -eye]) for s in (1, -1)]
    limits = [np.zeros(T), previous, -previous, np.zeros(N), np.zeros(N)]

    def row(weights=0.0, trades=0.0, sizes=0.0):
        parts = [np.broadcast_to(weights, N), np.zeros(1 + T), np.full(N, trades), np.full(N, sizes)]
        return np.concatenate(parts)[None]

    for line in c.linear:
        rows += [row(line.loadings), row(-line.loadings)]
        limits += [[line.upper], [-line.lower]]
    if target is not None:
        rows, limits = [*rows, row(-expected)], [*limits, [-target]]
    if c.max_turnover is not None:
        rows, limits = [*rows, row(trades=1.0)], [*limits, [c.max_turnover]]
    if c.max_gross is not None:
        rows, limits = [*rows, row(sizes=1.0)], [*limits, [c.max_gross]]
    a, b = np.vstack(rows), np.concatenate(limits)
    finite = np.isfinite(b)
    weight = 1.0 if aversion is None else aversion
    gain = np.zeros(N) if aversion is None else expected
    price = np.concatenate(
        [
            -gain,
            [weight],
            np.full(T, weight / ((1 - confidence) * T)),
            np.broadcast_to(c.cost, N),
            np.zeros(N),
        ]
    )
    bounds = [*zip(lower, upper, strict=True), (None, None), *[(0, None)] * (T + 2 * N)]
    equal = {} if c.budget is None else {"A_eq": row(1.0), "b_eq": [c.budget]}
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    return linprog(price, A_ub=a[finite], b_ub=b[finite], bounds=bounds, method="highs-ds", options=tight, **equal)


def tailed(seed, T, N):
    draw = np.random.default_rng(seed)
    market = draw.standard_t(4, (T, 1))
    return 0.01 * (market * draw.uniform(0.2, 1.6, N) + draw.standard_t(4, (T, N)) * draw.uniform(0.5, 1.5, N)) + 5e-4


def satisfied(weights, c):
    N = len(weights)
    slack = 1e-9
    assert (weights >= np.broadcast_to(c.lower, N) - slack).all()
    assert (weights <= np.broadcast_to(c.upper, N) + slack).all()
    if c.budget is not None:
        assert weights.sum() == pytest.approx(c.budget, abs=slack)
    for line in c.linear:
        assert line.lower - slack <= line.loadings @ weights <= line.upper + slack
    if c.max_turnover is not None:
        assert np.abs(weights - c.previous).sum() <= c.max_turnover + slack
    if c.max_gross is not None:
        assert np.abs(weights).sum() <= c.max_gross + slack


def random_constraints(draw, N, kind):
    held = draw.dirichlet(np.ones(N))
    if kind == "boxes":
        lower = np.where(draw.random(N) < 0.3, -0.1, 0.0)
        return Constraints(lower=lower, upper=draw.uniform(2.0 / N, 0.8, N), budget=draw.choice([1.0, 0.4]))
    if kind == "linear":
        exposure = Linear(name="beta", loadings=draw.uniform(0.5, 1.5, N), lower=0.8, upper=1.1)
        return Constraints(upper=0.5, linear=(sector("some", range(N // 2), N, lower=0.2, upper=0.6), exposure))
    if kind == "turnover":
        return Constraints(upper=0.9, previous=held, max_turnover=draw.uniform(0.05, 1.0))
    if kind == "cost":
        return Constraints(lower=-0.05, previous=held, cost=draw.uniform(0.0, 0.01, N))
    if kind == "gross":
        return Constraints(lower=-0.5, upper=0.7, max_gross=draw.uniform(1.1, 2.0))
    signed = held - 0.7 / N
    return Constraints(
        lower=-0.3, upper=0.7, previous=signed, max_gross=1.6, max_turnover=1.2, cost=0.0005, budget=0.3,
        linear=(sector("some", range(N // 2), N, upper=0.3),),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["boxes", "linear", "turnover", "cost", "gross", "all"])
@pytest.mark.parametrize("seed", range(5))
def test_the_optimum_is_that_of_the_whole_program(kind, seed) -> None:
    draw = np.random.default_rng(seed)
    T, N = int(draw.integers(40, 160)), int(draw.integers(3, 40))
    confidence = float(draw.choice([0.8, 0.9, 0.95, 0.937]))
    returns, c = tailed(seed, T, N), random_constraints(draw, N, kind)
    expected, aversion = returns.mean(axis=0), float(draw.uniform(0.2, 5.0))
    found = min_cvar(returns, confidence, c)
    best = whole(returns, confidence, c)
    assert found.objective == pytest.approx(best.fun, rel=1e-9, abs=1e-13)
    assert found.residual < 1e-9
    satisfied(found.weights, c)
    previous = np.zeros(N) if c.previous is None else c.previous
    costs = float(np.broadcast_to(c.cost, N) @ np.abs(found.weights - previous))
    assert found.objective == pytest.approx(historical_es(returns @ found.weights, confidence) + costs, abs=1e-12)
    trade = mean_cvar(returns, aversion, confidence, c)
    best = whole(returns, confidence, c, expected=expected, aversion=aversion)
    assert trade.objective == pytest.approx(-best.fun, rel=1e-9, abs=1e-13)
    satisfied(trade.weights, c)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(20, 60), st.integers(1, 12), st.sampled_from([0.0, 0.01, 1.0]))
def test_ties_repeated_assets_and_tiny_samples_are_solved_exactly(seed, T, N, grid) -> None:
    returns = tailed(seed, T, N)
    if grid:
        returns = np.round(returns / grid) * grid
    returns = np.hstack([returns, returns[:, :1]])
    found = min_cvar(returns, 0.9)
    assert found.objective == pytest.approx(whole(returns, 0.9, PLAIN).fun, rel=1e-9, abs=1e-12)


def test_a_large_problem_and_the_next_day_from_yesterdays_weights() -> None:
    returns = tailed(3, 301, 250)
    capped = Constraints(upper=0.1)
    first = min_cvar(returns[:300], 0.95, capped)
    cold = min_cvar(returns[1:], 0.95, capped)
    warm = min_cvar(returns[1:], 0.95, capped, warm=first.warm)
    assert first.objective == pytest.approx(whole(returns[:300], 0.95, capped).fun, rel=1e-9)
    assert warm.objective == pytest.approx(cold.objective, rel=1e-11)
    assert warm.iterations < cold.iterations


def test_a_useless_start_changes_nothing_but_the_work() -> None:
    returns = tailed(4, 100, 30)
    best = min_cvar(returns)
    for weights in (np.zeros(30), np.eye(30)[7], -np.ones(30)):
        assert min_cvar(returns, warm=TailStart(weights)).objective == pytest.approx(best.objective, rel=1e-10)


def test_returns_that_never_move_cost_nothing_and_one_asset_is_held_whole() -> None:
    still = min_cvar(np.zeros((40, 5)), constraints=Constraints(upper=0.4))
    assert (still.objective, still.residual) == (0.0, 0.0)
    satisfied(still.weights, Constraints(upper=0.4))
    returns = tailed(2, 50, 1)
    assert min_cvar(returns).weights.tolist() == [1.0]
    assert min_cvar(returns).objective == pytest.approx(historical_es(returns[:, 0], 0.95))


def test_units_of_the_returns_do_not_matter() -> None:
    returns = tailed(5, 120, 20)
    base = min_cvar(returns)
    for size in (1e-6, 1e4):
        assert min_cvar(returns * size).objective == pytest.approx(base.objective * size, rel=1e-10)


def test_a_target_binds_and_the_frontier_rises() -> None:
    returns = tailed(6, 150, 15)
    expected = np.linspace(0.0002, 0.002, 15)
    targets = np.linspace(0.0005, 0.0019, 5)
    found = cvar_frontier(returns, targets, 0.9, expected=expected)
    for target, point in zip(targets, found, strict=True):
        best = whole(returns, 0.9, PLAIN, expected=expected, target=target)
        assert point.objective == pytest.approx(best.fun, rel=1e-9)
        assert expected @ point.weights >= target - 1e-12
    assert (np.diff([point.objective for point in found]) >= -1e-12).all()


def test_two_assets_by_search_along_the_line() -> None:
    returns = tailed(7, 60, 2)
    grid = np.linspace(0.0, 1.0, 20_001)
    searched = min(historical_es(returns @ [w, 1 - w], 0.9) for w in grid)
    assert min_cvar(returns, 0.9).objective == pytest.approx(searched, rel=1e-4)
    assert min_cvar(returns, 0.9).objective <= searched


def test_on_real_prices_no_worse_than_skfolio() -> None:
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk

    closes = load_embedded("sp500").values[-1001:, :, CLOSE]
    returns = closes[1:] / closes[:-1] - 1.0
    peer = MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95).fit(returns).weights_
    found = min_cvar(returns)
    theirs = historical_es(returns @ peer, 0.95)
    assert found.objective <= theirs * (1 + 1e-12)
    assert found.objective == pytest.approx(theirs, rel=1e-4)
    assert found.weights == pytest.approx(peer, abs=5e-3)


def test_an_infeasible_problem_names_what_conflicts_and_only_that() -> None:
    returns = tailed(8, 60, 10)
    tech = sector("tech", range(5), 10, lower=0.6)
    bonds = sector("bonds", range(5, 10), 10, lower=0.5)
    beta = Linear(name="beta", loadings=np.ones(10), upper=1.5)
    with pytest.raises(InfeasibleError, match=r"tech >= 0\.6; bonds") as caught:
        min_cvar(returns, constraints=Constraints(linear=(beta, tech, bonds)))
    assert caught.value.conflicts == ("budget = 1", "tech >= 0.6", "bonds >= 0.5")
    with pytest.raises(InfeasibleError, match=r"budget = 1; upper bounds \(sum 0.5\)"):
        min_cvar(returns, constraints=Constraints(upper=0.05))
    with pytest.raises(InfeasibleError, match="target_return"):
        min_cvar(returns, target_return=1.0)


def test_without_bounds_a_sure_gain_has_no_optimum() -> None:
    returns = tailed(9, 60, 3)
    returns[:, 0] = 0.001
    with pytest.raises(UnsolvedError, match="no end"):
        min_cvar(returns, constraints=Constraints(lower=-np.inf, upper=np.inf, budget=None))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"confidence": 0.5}, "between 0.5 and 1"),
        ({"confidence": 0.99}, "tail beyond 0.99 of .* Give at least 100"),
        ({"constraints": Constraints(max_names=3)}, "max_names=3"),
        ({"constraints": Constraints(min_position=0.1)}, "min_position=0.1"),
        ({"constraints": Constraints(cost=-1.0, previous=np.zeros(4))}, "cost"),
        ({"constraints": Constraints(max_turnover=0.1)}, "without previous"),
        ({"constraints": Constraints(max_gross=np.nan)}, "max_gross"),
        ({"constraints": Constraints(lower=0.2, upper=0.1)}, "above its upper bound"),
        ({"constraints": Constraints(linear=(Linear(name="x", loadings=np.ones(3)),))}, "'x'"),
        ({"target_return": np.nan}, "target_return"),
        ({"warm": np.ones(4)}, "warm"),
        ({"warm": TailStart(np.ones(3))}, "4 assets"),
    ],
)
def test_what_makes_no_sense_is_named(change, said) -> None:
    with pytest.raises(RiskError, match=said):
        min_cvar(tailed(1, 60, 4), **change)


def test_an_aversion_of_zero_and_returns_with_holes_are_refused() -> None:
    returns = tailed(1, 60, 4)
    with pytest.raises(RiskError, match="aversion 0"):
        mean_cvar(returns, 0.0)
    returns[3, 2] = np.nan
    with pytest.raises(RiskError, match="not a number"):
        min_cvar(returns)
