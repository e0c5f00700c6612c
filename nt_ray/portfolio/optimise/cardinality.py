"""Few names and no crumbs: at most so many weights other than zero, none smaller than a least position.

Branch and bound over which assets are held: each node is a convex problem with some assets at zero and some
held, its optimum bounds everything below it, and the best whole choice found so far cuts the rest. Where the number of
names binds, `perspective` raises that bound. The search ends when the bound meets the best choice or after a set number
of nodes, and tells the gap it has proven.
"""

import heapq
import itertools
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import is_whole
from nt_ray.portfolio.optimise.perspective import spare_diagonal, tighten
from nt_ray.portfolio.optimise.point import ActiveSet
from nt_ray.portfolio.optimise.problem import Problem
from nt_ray.portfolio.optimise.quadratic import Answer, solve, solve_if_feasible
from nt_ray.portfolio.optimise.solution import InfeasibleError, UnsolvedError
from nt_ray.types import ByteArray, FloatArray

MOST_NODES: Final = 2_000
_MET: Final = 1e-9
"""Relative gap at which bound and choice count as one."""
_HELD: Final = 1e-9
"""A weight below this counts as zero."""

_FIRST_STEPS, _STEPS = 30, 3
"""Problems solved to raise the bound of the whole tree, and of each node, which goes on from the one above it."""

_OPEN, _OUT, _LONG, _SHORT = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class _Node:
    choice: ByteArray
    """(N,) open, out, long or short for each asset"""
    answer: Answer
    bound: float
    sizes: FloatArray
    """(N,) sizes of the weights by the best relaxation"""
    shares: FloatArray
    """(N,) how far each asset is held there"""


def select(
    problem: Problem, max_names: int | None, min_position: float, *, most_nodes: int = MOST_NODES
) -> tuple[Answer, float]:
    """Return the best choice of at most `max_names` weights of at least `min_position`, and the relative gap proven."""
    most = problem.assets if max_names is None else max_names
    if not is_whole(most, 1):
        raise RiskError(f"max_names is {max_names}. Allow at least one, and a whole number.")
    if not 0.0 <= min_position < np.inf:
        raise RiskError(f"min_position is {min_position}. Give a size of zero or more.")
    solve(problem)
    return _Search(problem, int(most), min_position).run(most_nodes)


class _Search:
    """The tree of choices, best bound first."""

    def __init__(self, problem: Problem, most: int, least: float) -> None:
        self.problem, self.most, self.least = problem, most, least
        self.best: Answer | None = None
        self.best_value = np.inf
        self.steps = 0
        self.spare = spare_diagonal(problem.curvature) if most < problem.assets else np.zeros(problem.assets)

    def run(self, most_nodes: int) -> tuple[Answer, float]:
        order = itertools.count()
        heap: list[tuple[float, int, _Node]] = []

        def enter(choice: ByteArray, warm: ActiveSet | None, shares: FloatArray, tries: int) -> None:
            node = self._node(choice, warm, shares, tries)
            if node is not None and node.bound < self._cut():
                self._try_whole(node)
                heapq.heappush(heap, (node.bound, next(order), node))

        even = np.full(self.problem.assets, min(1.0, self.most / self.problem.assets))
        enter(np.zeros(self.problem.assets, dtype=np.int8), None, even, _FIRST_STEPS)
        for _ in range(most_nodes):
            if not heap or heap[0][0] >= self._cut():
                return self._found(whole=True), 0.0
            _, _, node = heapq.heappop(heap)
            for choice in self._branches(node):
                enter(choice, node.answer.active, node.shares, _STEPS)
        found = self._found(whole=not heap)
        bound = min([heap[0][0], self.best_value]) if heap else self.best_value
        return found, (self.best_value - bound) / max(abs(self.best_value), 1e-300)

    def _cut(self) -> float:
        """Return the bound from which a node cannot improve on the best choice."""
        return self.best_value - _MET * abs(self.best_value) if np.isfinite(self.best_value) else np.inf

    def _found(self, *, whole: bool) -> Answer:
        """Return the best choice; `whole` tells whether the tree was searched to its end."""
        if self.best is None:
            texts = tuple(
                text
                for text, stated in (
                    (f"max_names = {self.most}", self.most < self.problem.assets),
                    (f"min_position = {self.least:g}", self.least > 0.0),
                )
                if stated
            )
            if not whole:
                raise UnsolvedError(
                    f"No choice under {' and '.join(texts)} was found in {self.steps} problems. Relax them."
                )
            raise InfeasibleError((*texts, "the other constraints, which can be met without"))
        return replace(self.best, solver="branch_and_bound", iterations=self.steps)

    def _node(self, choice: ByteArray, warm: ActiveSet | None, shares: FloatArray, tries: int) -> _Node | None:
        """Return the convex problem of a choice, solved; None where it cannot be met."""
        problem = self._restricted(choice)
        if problem is None:
            return None
        self.steps += 1
        answer = solve_if_feasible(problem, warm)
        if answer is None:
            return None
        weights = answer.point.weights
        node = _Node(choice, answer, problem.value(weights), np.abs(weights), shares)
        open_, left = choice == _OPEN, self.most - int(np.count_nonzero(choice >= _LONG))
        # A whole choice already, or one that the other bound rules out.
        if not self.spare.any() or np.count_nonzero(open_ & (node.sizes > _HELD)) <= left or node.bound >= self._cut():
            return node
        found = tighten(problem, self.spare, open_, left, shares, enough=self._cut(), steps=tries)
        if found is None:
            return node
        self.steps += found.steps
        return _Node(choice, answer, max(node.bound, found.bound), np.abs(found.weights), found.shares)

    def _restricted(self, choice: ByteArray) -> Problem | None:
        problem = self.problem
        lower = np.where(choice == _OUT, np.maximum(problem.lower, 0.0), problem.lower)
        upper = np.where(choice == _OUT, np.minimum(problem.upper, 0.0), problem.upper)
        lower = np.where(choice == _LONG, np.maximum(lower, self.least), lower)
        upper = np.where(choice == _SHORT, np.minimum(upper, -self.least), upper)
        if (lower > upper).any():
            return None
        restricted = problem.bounded(lower, upper)
        return self._with_count(restricted, choice)

    def _with_count(self, problem: Problem, choice: ByteArray) -> Problem:
        """Add that open weights, each as a share of its upper bound, count at most as the names left."""
        open_ = (choice == _OPEN) & (problem.upper > 0.0)
        left = self.most - int(np.count_nonzero(choice >= _LONG))
        if (
            (problem.lower[open_] < 0.0).any()
            or int(open_.sum()) <= left
            or not np.isfinite(problem.upper[open_]).all()
        ):
            return problem
        loadings = np.where(open_, 1.0 / np.where(open_, problem.upper, 1.0), 0.0)
        return problem.with_row("max_names", loadings, float(left))

    def _try_whole(self, node: _Node) -> None:
        """Keep the largest weights of a node, drop the rest, and see whether that is the best choice so far."""
        weights = node.answer.point.weights
        rank = np.where(node.choice >= _LONG, np.inf, node.sizes)
        rank[node.choice == _OUT] = 0.0
        kept = np.argsort(-rank, kind="stable")[: self.most]
        kept = kept[rank[kept] > _HELD]
        choice = np.full(self.problem.assets, _OUT, dtype=np.int8)
        choice[kept] = np.where(
            node.choice[kept] >= _LONG, node.choice[kept], np.where(weights[kept] < 0.0, _SHORT, _LONG)
        )
        problem = self._restricted(choice)
        if problem is None:
            return
        self.steps += 1
        answer = solve_if_feasible(problem, node.answer.active)
        if answer is None:
            return
        value = self.problem.value(answer.point.weights)
        if value < self.best_value:
            self.best, self.best_value = answer, value

    def _branches(self, node: _Node) -> list[ByteArray]:
        """Return the choices below a node: its most undecided asset out, long, and short where that is allowed."""
        weights = node.answer.point.weights
        size = np.abs(weights)
        undecided = (node.choice == _OPEN) & (size > _HELD)
        held = int(np.count_nonzero(node.choice >= _LONG) + np.count_nonzero(undecided))
        crumbs = undecided & (size < self.least - _HELD)
        if held <= self.most and not crumbs.any():
            return []
        pool = crumbs if crumbs.any() else undecided
        at = int(np.argmax(np.where(pool, node.sizes, -1.0)))
        sides = [_OUT]
        if self.problem.upper[at] > 0.0:
            sides.append(_LONG)
        if self.problem.lower[at] < 0.0:
            sides.append(_SHORT)
        children = []
        for side in sides:
            choice = node.choice.copy()
            choice[at] = side
            if np.count_nonzero(choice >= _LONG) == self.most:
                choice[choice == _OPEN] = _OUT
            children.append(choice)
        return children
