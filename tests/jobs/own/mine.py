"""A user's own strategies, one of each kind. Compiled code is kept by the place of its file: this one does not move."""

from numba import njit

from nt_ray.backtest.event.python_strategy import PythonStrategy
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.order_step import OrderStrategy, market


@njit(STEP_SIGNATURE, cache=True)
def step(state, bar, params, targets):
    state[0] += 1.0
    rising = bar[0, 3] > state[1]
    state[1] = bar[0, 3]
    if state[0] == params[1]:
        raise ValueError("no more")
    if state[0] == params[2]:
        return 2.5
    targets[0] = params[0] if rising else 0.0
    return 1.0


PARAMETERS = (
    Parameter("size", 0.5, 0, 1, "Target."),
    Parameter("raises", 0, 0, 1e6, "Bar."),
    Parameter("lies", 0, 0, 1e6, "Bar."),
)
Targets = Strategy("targets", "Holds what rose.", "An example", PARAMETERS, 1, lambda params: 2, step)


def order_step(state, bar, ticks, params, lots, account, orders, requests):
    return market(requests, 0, 0, int(params[0]) - lots[0])


LOTS = (Parameter("size", 10, 1, 100, "Lots."),)
Orders = OrderStrategy("orders", "Buys and holds.", LOTS, lambda params: 0, order_step)


class Plain(PythonStrategy):
    def __init__(self, size=10):
        self.size = size

    def on_bar(self, context):
        if context.row == 0:
            context.buy(context.symbols[0], self.size)
