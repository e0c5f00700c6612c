"""What strategies have signed, against a count over all orders."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from nt_ray.trader.signed import Signed
from nt_ray.trader.tally import Traded
from nt_ray.trading.orders import OrderStatus

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
NAMES = ("Mean Reversion", "mean_reversion", "pairs")
LIVES = st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(OrderStatus), max_size=4)), max_size=12)


@given(LIVES)
def test_counts_are_those_of_all_orders_of_every_spelling(
    lives: list[tuple[str, list[OrderStatus]]],
) -> None:
    signed = Signed()
    for number, (name, states) in enumerate(lives):
        signed.enter(name, NOW + timedelta(seconds=number))
        for before, after in zip([OrderStatus.INITIALIZED, *states], states, strict=False):
            signed.change(name, before, after)
    mine = [(n, name, states) for n, (name, states) in enumerate(lives) if name != "pairs"]
    ends = [states[-1] if states else OrderStatus.INITIALIZED for _, _, states in mine]
    found = signed.record("mean-reversion", ())
    assert found.names == tuple(sorted({name for _, name, _ in mine}))
    assert (found.orders, found.open) == (len(mine), sum(end.is_open for end in ends))
    assert found.denied == sum(
        state is OrderStatus.DENIED and before is not state
        for _, _, states in mine
        for before, state in zip([None, *states], states, strict=False)
    )
    assert found.last_order == (NOW + timedelta(seconds=mine[-1][0]) if mine else None)


def test_what_was_traded_is_summed_over_spellings_and_symbols() -> None:
    signed = Signed()
    for name in NAMES:
        signed.enter(name, NOW)
    traded = [
        Traded(name, symbol, 2, Decimal(10), Decimal("1.5"))
        for name in NAMES
        for symbol in ("AAPL", "MSFT")
    ]  # fmt: skip
    found = signed.record("mean_reversion", traded)
    assert (found.executions, found.realised) == (8, Decimal(6))
    assert signed.record("unknown", traded).names == ()
