"""Which constraints contradict each other: a smallest set that leaves no weights, found by leaving out one at a time.

A set is smallest in the sense that without any one of its members the rest can be met (a deletion filter;
Chinneck and Dravnieks 1991). Each test is a linear program in HiGHS. Bounds are members as groups, lower and upper.
"""

import numpy as np
from scipy import sparse

from nt_ray.errors import RiskError
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.types import FloatArray

_LOWER, _UPPER, _TURNOVER, _GROSS = "lower bounds", "upper bounds", "max_turnover", "max_gross"


def conflicts(problem: Problem) -> tuple[str, ...]:
    """Return a smallest set of constraints that no weights satisfy together; empty where some weights satisfy all."""
    kept = _members(problem)
    if _feasible(problem, kept):
        return ()
    for member in list(kept):
        rest = [other for other in kept if other != member]
        if not _feasible(problem, rest):
            kept = rest
    return tuple(_text(problem, member) for member in kept)


def feasible(problem: Problem) -> bool:
    """Tell whether some weights satisfy all constraints, to the accuracy of a linear program."""
    return _feasible(problem, _members(problem))


def _members(problem: Problem) -> list[tuple[str, str]]:
    members = []
    for row, name in enumerate(problem.names):
        if problem.low[row] > -np.inf:
            members.append((name, "low"))
        if problem.high[row] < np.inf:
            members.append((name, "high"))
    members += [("", name) for name, limit in zip((_TURNOVER, _GROSS), problem.caps, strict=True) if limit < np.inf]
    return [*members, ("", _LOWER), ("", _UPPER)]


def _feasible(problem: Problem, members: list[tuple[str, str]]) -> bool:
    """Tell whether weights satisfy these members; |w - previous| and |w| are bounded from above by variables."""
    # Every account and every run imports this file, and scipy.optimize takes a third of a second that few need.
    from scipy.optimize import linprog

    n = problem.assets
    chosen = set(members)
    lower = problem.lower if ("", _LOWER) in chosen else np.full(n, -np.inf)
    upper = problem.upper if ("", _UPPER) in chosen else np.full(n, np.inf)
    blocks, limits = _row_blocks(problem, chosen)
    one, none = sparse.identity(n), sparse.csr_matrix((n, n))
    for at, (name, kink) in enumerate(((_TURNOVER, problem.previous), (_GROSS, np.zeros(n)))):
        if ("", name) not in chosen:
            continue
        for sign in (1.0, -1.0):
            spread = [none, none]
            spread[at] = -one
            blocks.append(sparse.csr_matrix(sparse.hstack([sign * one, *spread])))
            limits.append(sign * kink)
        total = np.zeros((1, 3 * n))
        total[0, n * (1 + at) : n * (2 + at)] = 1.0
        blocks.append(sparse.csr_matrix(total))
        limits.append(np.array([problem.caps[at]]))
    low = np.concatenate([lower, np.zeros(2 * n)])
    high = np.concatenate([upper, np.full(2 * n, np.inf)])
    answer = linprog(
        np.zeros(3 * n),
        A_ub=sparse.vstack(blocks).tocsr() if blocks else None,
        b_ub=np.concatenate(limits) if limits else None,
        bounds=np.stack([low, high], axis=1),
    )
    if answer.status not in (0, 2):
        raise RiskError(
            f"The linear program of the constraints ended with {answer.message!r}. Rescale the constraints."
        )
    return bool(answer.status == 0)


def _row_blocks(problem: Problem, chosen: set[tuple[str, str]]) -> tuple[list[sparse.csr_matrix], list[FloatArray]]:
    blocks, limits = [], []
    nothing = np.zeros(2 * problem.assets)
    for row, name in enumerate(problem.names):
        for side, sign, bound in (("high", 1.0, problem.high[row]), ("low", -1.0, problem.low[row])):
            if (name, side) in chosen:
                blocks.append(sparse.csr_matrix(np.append(sign * problem.rows[row], nothing)[None]))
                limits.append(np.array([sign * bound]))
    return blocks, limits


def _text(problem: Problem, member: tuple[str, str]) -> str:
    name, side = member
    if name:
        row = problem.names.index(name)
        low, high = problem.low[row], problem.high[row]
        if low == high:
            return f"{name} = {low:g}"
        return f"{name} >= {low:g}" if side == "low" else f"{name} <= {high:g}"
    if side == _LOWER:
        return f"lower bounds (sum {problem.lower.sum():g})"
    if side == _UPPER:
        return f"upper bounds (sum {problem.upper.sum():g})"
    return f"{side} = {problem.caps[side == _GROSS]:g}"
