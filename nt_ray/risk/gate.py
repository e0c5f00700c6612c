"""The pre-trade gate: the one door through which every order passes before it is sent.

Rules are asked cheapest first, and the first that denies decides. Those of admission and conduct are for every order;
those of size are for orders that could open or add to a position, so that no limit locks anyone into one. The gate
reads a view of the account and changes nothing that counts: it notes which symbols it has looked at. It fails closed:
what it needs to know and does not is a denial. The checks follow SEC rule 15c3-5 and Articles 12 and 15 of RTS 6 (EU
2017/589).
"""

from collections.abc import Sequence

from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.rules.admission import (
    DuplicateContent,
    DuplicateId,
    Increments,
    KillSwitch,
    KnownInstrument,
    OpenBreaker,
    PriceCollar,
    ReferencePrice,
    Restricted,
)
from nt_ray.risk.rules.base import AccountView, Denial, Question, Rule
from nt_ray.risk.rules.conduct import MessageRate, SelfTrade
from nt_ray.risk.rules.size import (
    Concentration,
    FreshReference,
    LossBreaker,
    OrderNotional,
    OrderQuantity,
    PortfolioHeat,
    PortfolioVar,
    PositionNotional,
    Totals,
    VolumeShare,
)
from nt_ray.trading.orders import OrderRequest

__all__ = ["AccountView", "Denial", "RiskGate", "RiskLimits"]


class RiskGate:
    """The gate of one account at one venue."""

    def __init__(self, limits: RiskLimits, instruments: Sequence[Instrument], venue: str = "") -> None:
        self._instruments = {i.symbol: i for i in instruments}
        rules = (_admission(limits, tuple(self._instruments), venue), _conduct(limits), _size(limits))
        self._admission, self._conduct, self._size = (tuple(rule.check for rule in stage) for stage in rules)

    def check(self, request: OrderRequest, view: AccountView, exits: Sequence[OrderRequest] = ()) -> Denial | None:
        """Return why the order must not be sent, or None; `exits` are sent with it and wait for its fills."""
        question = Question(request, view, self._instruments.get(request.symbol), exits)
        for check in self._admission:
            denial = check(question)
            if denial is not None:
                return denial
        question.weigh()
        for check in self._conduct:
            denial = check(question)
            if denial is not None:
                return denial
        if question.reduces():
            return None
        question.weigh_worst()
        for check in self._size:
            denial = check(question)
            if denial is not None:
                return denial
        return None


def _admission(limits: RiskLimits, symbols: tuple[str, ...], venue: str) -> tuple[Rule, ...]:
    rules: list[Rule] = [KillSwitch(venue), OpenBreaker(), DuplicateId(), KnownInstrument(symbols)]
    if limits.restricted:
        rules.append(Restricted(limits))
    return (*rules, Increments(), ReferencePrice(), PriceCollar(limits))


def _conduct(limits: RiskLimits) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    if limits.exact("duplicate_window_s"):
        rules.append(DuplicateContent(limits))
    if limits.max_messages is not None or limits.max_strategy_messages is not None:
        rules.append(MessageRate(limits))
    if limits.self_trade:
        rules.append(SelfTrade())
    return tuple(rules)


def _size(limits: RiskLimits) -> tuple[Rule, ...]:
    rules: list[Rule] = [LossBreaker(), OrderNotional(limits)]
    if limits.max_reference_age_s is not None:
        rules.append(FreshReference(limits))
    if limits.max_order_quantity is not None:
        rules.append(OrderQuantity(limits))
    if limits.max_volume_share is not None:
        rules.append(VolumeShare(limits))
    rules += [PositionNotional(limits), Concentration(limits), Totals(limits)]
    if limits.max_heat is not None:
        rules.append(PortfolioHeat(limits))
    if limits.max_var is not None:
        rules.append(PortfolioVar(limits))
    return tuple(rules)
