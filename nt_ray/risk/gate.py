"""The pre-trade gate: the one door through which every order passes before it is sent.

Rules are asked cheapest first, and the first that denies decides. Those of admission and conduct are for every order;
those of size and permission are for orders that could open or add to a position, so that no limit locks anyone into
one. The gate reads a view of the account and changes nothing that counts: it notes which symbols it has looked at. It
fails closed: what it needs to know and does not is a denial. The checks follow SEC rule 15c3-5 and Articles 12 and 15
of RTS 6 (EU 2017/589).
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
from nt_ray.risk.rules.effect import Closable, Effect
from nt_ray.risk.rules.permission import AccountBlocked, Borrowable, Fractions, HaltedInstrument, Shorting
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
from nt_ray.risk.standing import FREE, Standing
from nt_ray.trading.orders import OrderRequest

__all__ = ["AccountView", "Denial", "RiskGate", "RiskLimits"]


class RiskGate:
    """The gate of one account at one venue."""

    def __init__(
        self, limits: RiskLimits, instruments: Sequence[Instrument], venue: str = "", standing: Standing = FREE
    ) -> None:
        """`standing`: what the venue does not allow; who learns that it changed makes a new gate."""
        self._instruments = {i.symbol: i for i in instruments}
        admission = _admission(limits, tuple(self._instruments), venue, standing)
        rules = (admission, _conduct(limits), _size(limits, standing))
        self._admission, self._conduct, self._size = (tuple(rule.check for rule in stage) for stage in rules)
        self._stages: tuple[tuple[Rule, ...], ...] = (admission, (Effect(), Closable(), *rules[1]), rules[2])
        # Few orders say what they do to the position, and the others pay nothing for that.
        self._conduct_of_effect = (Effect().check, Closable().check, *self._conduct)

    def check(self, request: OrderRequest, view: AccountView, exits: Sequence[OrderRequest] = ()) -> Denial | None:
        """Return why the order must not be sent, or None; `exits` are sent with it and wait for its fills."""
        question = Question(request, view, self._instruments.get(request.symbol), exits)
        for check in self._admission:
            denial = check(question)
            if denial is not None:
                return denial
        question.weigh()
        for check in self._conduct_of_effect if request.position_effect else self._conduct:
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

    def explain(self, request: OrderRequest, view: AccountView) -> list[tuple[str, Denial | None]]:
        """Ask every rule that concerns an order, past the first that denies, for who wants to know before it is sent.

        Without an instrument, a price or equity the rules after the one that says so cannot be asked, and are left out.
        """
        question = Question(request, view, self._instruments.get(request.symbol), ())
        found: list[tuple[str, Denial | None]] = []
        for number, stage in enumerate(self._stages):
            if number == 1:
                question.weigh()
            elif number == 2:
                if question.reduces():
                    break
                question.weigh_worst()
            for rule in stage:
                found.append((rule.name, rule.check(question)))
                lacks = question.instrument is None or not question.mark or (number == 2 and question.equity <= 0)
                if lacks and found[-1][1] is not None:
                    return found
        return found


def _admission(limits: RiskLimits, symbols: tuple[str, ...], venue: str, standing: Standing) -> tuple[Rule, ...]:
    rules: list[Rule] = [KillSwitch(venue), OpenBreaker(), DuplicateId(), KnownInstrument(symbols)]
    if standing.blocked:
        rules.append(AccountBlocked(standing))
    if standing.halted:
        rules.append(HaltedInstrument(standing))
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


def _size(limits: RiskLimits, standing: Standing) -> tuple[Rule, ...]:
    rules: list[Rule] = [LossBreaker()]
    if not limits.shorting:
        rules.append(Shorting())
    if standing.unshortable or not standing.shorting:
        rules.append(Borrowable(standing))
    if not limits.fractions:
        rules.append(Fractions())
    rules.append(OrderNotional(limits))
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
