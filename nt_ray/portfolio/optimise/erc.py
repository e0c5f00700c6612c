"""Risk parity: long-only weights whose shares of the portfolio's risk are given budgets, equal ones by default.

Asset i contributes w_i (Cov w)_i to the variance w'Cov w. The weights with given shares b are, up to their sum, the
minimum over x > 0 of x'Cov x / 2 - sum b_i ln x_i (Spinu, 2013, An algorithm for computing risk parity weights), and
there is only one. Cyclical coordinate descent solves for one x_i after another in closed form (Griveau-Billion, Richard
and Roncalli, 2013, A fast algorithm for computing high-dimensional risk parity portfolios) and keeps Cov x up to date.

Since the weights are determined by the budgets alone, other constraints hold or they do not: those that do not are
named as infeasible, never traded against the budgets.
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import float64, int64, njit

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_weights
from nt_ray.portfolio.moments.checks import check_semidefinite
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.curvature import Covariance, Dense, Factor, Solver, curvature
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.solution import InfeasibleError, Solution, UnsolvedError
from nt_ray.types import FloatArray

_LONG_ONLY = Constraints()
ACCEPTED = 1e-9
"""Largest |contribution / budget - 1|."""
CLOSE = 5e-10
"""Where sweeping stops: a little closer, for sums carried along are rounded."""
SWEEPS = 40
"""Most sweeps in a row."""
STEPS = 200
"""Most steps of Newton's method."""
_SLACK = 1e-9
"""By how much a weight may pass a limit: rounding."""


def risk_parity(
    covariance: Covariance,
    budgets: npt.ArrayLike | None = None,
    constraints: Constraints = _LONG_ONLY,
    *,
    warm: FloatArray | None = None,
) -> Solution:
    """Find weights whose contributions to the variance are in the proportions of the budgets.

    Parameters
    ----------
    covariance
        (N, N) positive semi-definite, or a `FactorCovariance`; variances of zero are errors.
    budgets
        (N,) positive shares of the risk that sum to 1; 1/N each where not given.
    constraints
        A positive budget, to which the weights sum (1 where it is None); limits on boxes, linear sums, turnover, gross,
        number and size of positions, which hold at the answer or are reported as infeasible. Costs are refused.
    warm
        `Solution.warm` of a similar problem; it changes the time alone.

    Returns
    -------
    Solution
        Its objective is the standard deviation, its residual the largest |contribution / budget - 1|.
    """
    began = time.perf_counter()
    form = curvature(covariance)
    variances = _variances(form)
    shares = _shares(budgets, form.assets)
    total = 1.0 if constraints.budget is None else constraints.budget
    if not 0.0 < total < np.inf:
        raise RiskError(f"budget={total} is no positive sum. Give risk parity a positive budget, such as 1.")
    if np.any(constraints.cost):
        raise RiskError("cost is given, but risk parity sets no return against it. Drop it, or limit max_turnover.")
    problem = Problem.of(form, np.zeros(form.assets), constraints)
    x = np.sqrt(shares / variances) if warm is None else _started(warm, form.assets)
    found = _solve(form, variances, shares, x)
    weights = found.x * (total / found.x.sum())
    _refuse_broken(weights, problem, constraints)
    return Solution(
        weights=weights,
        objective=float(np.sqrt(weights @ form.product(weights))),
        solver=found.solver,
        residual=found.residual,
        iterations=found.steps,
        seconds=time.perf_counter() - began,
        warm=weights,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    x: FloatArray
    solver: str
    steps: int
    residual: float


def _variances(form: Dense | Factor) -> FloatArray:
    variances: FloatArray = form.matrix.diagonal().copy() if isinstance(form, Dense) else form.variances
    if not (variances > 0.0).all():
        raise RiskError(f"Asset {int(np.argmin(variances))} has no variance, so no risk to share. Leave it out.")
    return variances


def _shares(budgets: npt.ArrayLike | None, assets: int) -> FloatArray:
    if budgets is None:
        return np.full(assets, 1.0 / assets)
    shares = check_weights(budgets, assets, total=1.0)
    if not (shares > 0.0).all():
        at = int(np.argmin(shares))
        raise RiskError(f"Asset {at} has the risk budget {shares[at]:g}. Give positive ones, or leave the asset out.")
    return shares


def _started(warm: FloatArray, assets: int) -> FloatArray:
    x = check_weights(warm, assets).copy()
    if not (x > 0.0).all():
        raise RiskError(f"warm has the weight {x.min():g}. Give the warm of a solution of risk parity.")
    return x


def _solve(form: Dense | Factor, variances: FloatArray, shares: FloatArray, x: FloatArray) -> _Found:
    """Descend by coordinates, and where they are bound together too tightly for that, by Newton's method."""
    x, product = _unit(form, x)
    sweeps = 0
    for _ in range(2):
        if isinstance(form, Dense):
            done = _sweep_dense(form.matrix, variances, shares, x, product)
        else:
            done = _sweep_factor(form.loadings, form.specific, variances, shares, x, product)
        sweeps += done
        x, product = _unit(form, x)
        residual = _residual(x, product, shares)
        if residual <= ACCEPTED:
            return _Found(x, "coordinate_descent", sweeps, residual)
        if done == SWEEPS:
            break
    return _newton(form, shares, x, sweeps)


def _newton(form: Dense | Factor, shares: FloatArray, x: FloatArray, sweeps: int) -> _Found:
    """Minimise x'Cov x / 2 - sum b ln x by damped Newton steps."""
    residual = np.inf
    for step in range(1, STEPS + 1):
        slope = form.product(x) - shares / x
        solve = _second_derivative(form, shares, x)
        if solve is None:
            break
        move = solve((-slope * x)[None])[0]
        x = x * (1.0 + _step(form, shares, x, move, float(slope * x @ move)) * move)
        residual = _residual(x, form.product(x), shares)
        if residual <= ACCEPTED:
            return _Found(x, "newton", sweeps + step, residual)
    check_semidefinite(form.dense())
    raise UnsolvedError(
        f"Risk contributions stay {residual:.1e} off their budgets. Estimate the covariance from more observations or "
        "by shrinkage."
    )


def _second_derivative(form: Dense | Factor, shares: FloatArray, x: FloatArray) -> Solver | None:
    """Factorise the second derivative in units of x, which keeps it well scaled whatever the weights."""
    everything = np.arange(form.assets)
    if isinstance(form, Factor):
        own = form.specific * x**2 + shares
        scaled = FactorCovariance(form.loadings * x[:, None], np.eye(form.loadings.shape[1]), own)
        return Factor(scaled).factorise(everything)
    bend = form.matrix * x * x[:, None]
    bend.flat[:: form.assets + 1] += shares
    return Dense(bend).factorise(everything)


def _step(form: Dense | Factor, shares: FloatArray, x: FloatArray, move: FloatArray, slope: float) -> float:
    """Length of a step that keeps x positive and lowers the objective by a tenth of what its slope promises."""
    length = min(1.0, 0.95 / max(float(-move.min()), 1e-300))
    along = x * move
    linear, square = float(along @ form.product(x)), float(along @ form.product(along))
    for _ in range(60):
        change = length * linear + 0.5 * length**2 * square - float(shares @ np.log1p(length * move))
        # Near the optimum the change is rounding; the whole step is right there.
        if change <= 0.1 * length * slope or length * abs(slope) < 1e-13:
            break
        length *= 0.5
    return length


def _unit(form: Dense | Factor, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scale x to the variance 1, which the optimum has; return it and Cov x."""
    product = form.product(x)
    variance = float(x @ product)
    if not variance > 0.0:
        check_semidefinite(form.dense())
        raise UnsolvedError("The portfolio has no risk to share. Estimate the covariance by shrinkage.")
    return x / np.sqrt(variance), product / np.sqrt(variance)


def _residual(x: FloatArray, product: FloatArray, shares: FloatArray) -> float:
    return float(np.abs(x * product / (shares * (x @ product)) - 1.0).max())


def _refuse_broken(weights: FloatArray, problem: Problem, constraints: Constraints) -> None:
    """Name the constraints that the only weights with these budgets break."""
    lower, upper = problem.lower, problem.upper
    broken = [f"lower bound {lower[at]:g} of asset {at}" for at in np.flatnonzero(weights < lower - _SLACK)[:3]]
    broken += [f"upper bound {upper[at]:g} of asset {at}" for at in np.flatnonzero(weights > upper + _SLACK)[:3]]
    sums = problem.rows @ weights
    missed = (sums < problem.low - _SLACK) | (sums > problem.high + _SLACK)
    broken += [problem.names[at] for at in np.flatnonzero(missed)]
    limits = {
        "max_turnover": (constraints.max_turnover, float(np.abs(weights - problem.previous).sum())),
        "max_gross": (problem.max_gross, float(weights.sum())),
        "max_names": (constraints.max_names, len(weights)),
        "min_position": (-constraints.min_position, -float(weights.min())),
    }
    broken += [name for name, (most, have) in limits.items() if most is not None and have > most + _SLACK]
    if broken:
        raise InfeasibleError(("risk budgets", *broken))


@njit(float64(float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def _balance(shares: FloatArray, x: FloatArray, product: FloatArray) -> float:
    """Scale x and Cov x to the variance 1, and return the largest |contribution / budget - 1|."""
    variance = 0.0
    for i in range(len(x)):
        variance += x[i] * product[i]
    if not variance > 0.0:
        return np.inf
    worst, unit = 0.0, 1.0 / np.sqrt(variance)
    for i in range(len(x)):
        x[i] *= unit
        product[i] *= unit
        worst = max(worst, abs(x[i] * product[i] / shares[i] - 1.0))
    return worst


@njit(int64(float64[:, ::1], float64[::1], float64[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def _sweep_dense(
    matrix: FloatArray, variances: FloatArray, shares: FloatArray, x: FloatArray, product: FloatArray
) -> int:
    """Sweep until contributions are close to the budgets or the sweeps run out; x and Cov x change in place."""
    n = len(x)
    for sweep in range(SWEEPS):
        for i in range(n):
            other = product[i] - variances[i] * x[i]
            new = (np.sqrt(other * other + 4.0 * variances[i] * shares[i]) - other) / (2.0 * variances[i])
            change = new - x[i]
            x[i] = new
            for j in range(n):
                product[j] += change * matrix[i, j]
        if _balance(shares, x, product) < CLOSE:
            return sweep + 1
    return SWEEPS


@njit(
    int64(float64[:, ::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1]), cache=True, nogil=True
)
def _sweep_factor(
    loadings: FloatArray, specific: FloatArray, variances: FloatArray, shares: FloatArray, x: FloatArray,
    product: FloatArray,
) -> int:  # fmt: skip
    """Do the same for loadings @ loadings' + diag(specific), in O(N k) a sweep."""
    n, k = loadings.shape
    exposure = np.zeros(k)
    for sweep in range(SWEEPS):
        exposure[:] = 0.0
        for i in range(n):
            for f in range(k):
                exposure[f] += loadings[i, f] * x[i]
        for i in range(n):
            row = specific[i] * x[i]
            for f in range(k):
                row += loadings[i, f] * exposure[f]
            other = row - variances[i] * x[i]
            new = (np.sqrt(other * other + 4.0 * variances[i] * shares[i]) - other) / (2.0 * variances[i])
            change = new - x[i]
            x[i] = new
            for f in range(k):
                exposure[f] += change * loadings[i, f]
        for i in range(n):
            row = specific[i] * x[i]
            for f in range(k):
                row += loadings[i, f] * exposure[f]
            product[i] = row
        if _balance(shares, x, product) < CLOSE:
            return sweep + 1
    return SWEEPS
