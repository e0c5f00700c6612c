"""Compiled agents: all agents of one strategy in one host, run by one kernel call a block.

A *lane* is one strategy step with its own state: an agent with m symbols and a strategy of width w has m /
w lanes. Lanes see one bar at a time in order and keep their states between blocks. Knows nothing of rounds
or messages.
"""

from collections.abc import Sequence

import numpy as np
from numba import float64, int64, njit, types

from nt_ray.strategies.base import STEP_TYPE, Strategy
from nt_ray.strategies.inputs import input_columns
from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.messages import AgentSpec, Silence
from nt_ray.types import FloatArray, IntArray

BARS = types.Array(float64, 3, "C", readonly=True)
REBUILD_BARS = 256
"""Bars run at a time when states are rebuilt after a failure."""


@njit(
    int64(
        STEP_TYPE,
        BARS,
        int64[::1],
        int64[:, ::1],
        float64[:, ::1],
        float64[::1],
        int64[::1],
        int64,
        int64,
        int64,
        int64,
        float64[:, :, ::1],
        float64[:, ::1],
    ),
    cache=True,
    nogil=True,
)
def run_lanes(
    step: object,
    values: FloatArray,
    fields: IntArray,
    symbols: IntArray,
    params: FloatArray,
    states: FloatArray,
    offsets: IntArray,
    start: int,
    stop: int,
    first: int,
    last: int,
    targets: FloatArray,
    confidences: FloatArray,
) -> int:
    """Run lanes `first` to `last - 1` over bars `start` to `stop - 1`; write what they say.

    Parameters
    ----------
    values
        (T, N, F) bars.
    fields
        Positions in the last axis of what the step sees, in its order.
    symbols, params
        (L, w) panel columns and (L, P) parameters of each lane.
    states, offsets
        Flat states; lane l owns `states[offsets[l]:offsets[l + 1]]`.
    targets, confidences
        (K, L, w) and (K, L), K = stop - start; NaN passes through.
    """
    width = symbols.shape[1]
    bar = np.empty((width, fields.shape[0]))
    for lane in range(first, last):
        state = states[offsets[lane] : offsets[lane + 1]]
        for t in range(start, stop):
            for j in range(width):
                for f in range(fields.shape[0]):
                    bar[j, f] = values[t, symbols[lane, j], fields[f]]
            said = step(state, bar, params[lane], targets[t - start, lane])  # type: ignore[operator]
            confidences[t - start, lane] = said
    return last - first


class LaneGroup:
    """Agents of one strategy: their lanes, states and the bar they have reached."""

    def __init__(self, strategy: Strategy, specs: Sequence[AgentSpec], fields: Sequence[str] = ()) -> None:
        """Build the lanes; `fields` are the extra fields of the bars they will see."""
        for spec in specs:
            if not spec.symbols or len(spec.symbols) % strategy.width:
                raise SwarmSetupError(
                    f"Agent {spec.agent} ({spec.name}) has {len(spec.symbols)} symbols; its strategy "
                    f"looks at {strategy.width} at a time. Give a multiple of {strategy.width}."
                )
            if len(spec.params) != len(strategy.parameters):
                raise SwarmSetupError(
                    f"Agent {spec.agent} ({spec.name}) has {len(spec.params)} parameters; "
                    f"{strategy.name} needs {len(strategy.parameters)}. Build them with Strategy.vector."
                )
        self.specs = tuple(specs)
        self._step = strategy.step
        self._fields = input_columns(strategy, fields)
        lanes = [len(s.symbols) // strategy.width for s in specs]
        self.bounds = np.concatenate(([0], np.cumsum(lanes))).astype(np.int64)
        """Lanes of agent i are `bounds[i]` to `bounds[i + 1] - 1`."""
        self.symbols = np.concatenate([np.array(s.symbols, dtype=np.int64) for s in specs]).reshape(-1, strategy.width)
        params = [np.array(s.params, dtype=np.float64) for s in specs]
        self._params = np.ascontiguousarray(np.repeat(np.stack(params), lanes, axis=0))
        sizes = np.repeat([strategy.state_size(p) for p in params], lanes)
        self._offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        self._apart = False
        self.reset()

    def reset(self) -> None:
        """Forget everything, as before the first bar."""
        self._states = np.zeros(int(self._offsets[-1]))

    def run(self, values: FloatArray, start: int, stop: int) -> tuple[FloatArray, FloatArray, tuple[Silence, ...]]:
        """Run all lanes over a block: targets (K, L, w), confidences (K, L), and which agents failed and why.

        Where a step raises, that agent alone is silent for the block. From then on agents run one by one,
        each with a copy of its state, which a group without failures never pays for.
        """
        targets, confidences = self._blank(start, stop)
        if not self._apart:
            try:
                self._call(values, start, stop, 0, len(self.symbols), targets, confidences)
            except Exception:  # noqa: BLE001 a strategy may raise anything; which agent did is found out below
                self._apart = True
                self._rebuild(values, start)
            else:
                return targets, confidences, ()
        return targets, confidences, self._run_apart(values, start, stop, targets, confidences)

    def _blank(self, start: int, stop: int) -> tuple[FloatArray, FloatArray]:
        shape = (stop - start, *self.symbols.shape)
        return np.zeros(shape), np.zeros(shape[:2])

    def _rebuild(self, values: FloatArray, stop: int) -> None:
        """Bring the states back to where they were before bar `stop`."""
        self.reset()
        for first in range(0, stop, REBUILD_BARS):
            last = min(first + REBUILD_BARS, stop)
            self._call(values, first, last, 0, len(self.symbols), *self._blank(first, last))

    def _run_apart(
        self, values: FloatArray, start: int, stop: int, targets: FloatArray, confidences: FloatArray
    ) -> tuple[Silence, ...]:
        failed: list[Silence] = []
        for i in range(len(self.specs)):
            first, last = int(self.bounds[i]), int(self.bounds[i + 1])
            owned = slice(int(self._offsets[first]), int(self._offsets[last]))
            before = self._states[owned].copy()
            try:
                self._call(values, start, stop, first, last, targets, confidences)
            except Exception as error:  # noqa: BLE001 the boundary of an agent: the failure becomes its silence
                reason = f"{type(error).__name__}: {error}"
                self._states[owned] = before
                failed.append(Silence(self.specs[i].agent, reason, *self._step_over(values, start, stop, first, last)))
        return tuple(failed)

    def _step_over(self, values: FloatArray, start: int, stop: int, first: int, last: int) -> tuple[int, int]:
        """Bring an agent that fails to the end of the block, as if the bars at which it fails did not exist.

        So its state does not depend on where blocks begin, and a host that was started again agrees with
        the old one. Returns the first bar at which it fails, and the symbol.
        """
        owned = slice(int(self._offsets[first]), int(self._offsets[last]))
        place: tuple[int, int] | None = None
        for bar in range(start, stop):
            before = self._states[owned].copy()
            try:
                self._call(values, bar, bar + 1, first, last, *self._blank(bar, bar + 1))
            except Exception:  # noqa: BLE001 the failure is known and has its reason; only state and bar matter here
                self._states[owned] = before
                place = place or (bar, self._culprit(values, bar, first, last))
                self._states[owned] = before
        return place or (start, -1)

    def _culprit(self, values: FloatArray, bar: int, first: int, last: int) -> int:
        """First symbol of the first lane that fails on a bar; changes states."""
        for lane in range(first, last):
            try:
                self._call(values, bar, bar + 1, lane, lane + 1, *self._blank(bar, bar + 1))
            except Exception:  # noqa: BLE001 the failure is known and has its reason; only its lane matters here
                return int(self.symbols[lane, 0])
        return -1

    def _call(
        self,
        values: FloatArray,
        start: int,
        stop: int,
        first: int,
        last: int,
        targets: FloatArray,
        confidences: FloatArray,
    ) -> None:
        run_lanes(
            self._step,
            values,
            self._fields,
            self.symbols,
            self._params,
            self._states,
            self._offsets,
            start,
            stop,
            first,
            last,
            targets,
            confidences,
        )
