import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.stress.book import Book
from nt_ray.risk.stress.shocks import (
    NAMED,
    Shock,
    covid_2020,
    crisis_2008,
    interest_rate_shock,
    liquidity_crisis,
    scaled,
    severe_market_crash,
)

ORDER = ("equity", "fixed_income", "commodity", "fx")


@pytest.mark.parametrize(
    ("shock", "returns", "volatility", "correlation"),
    [
        (crisis_2008(), (-0.55, -0.15, -0.40, 0.10), 3.0, 0.30),
        (covid_2020(), (-0.34, 0.05, -0.60, 0.15), 2.5, 0.25),
        (severe_market_crash(0.5), (-0.5, -0.15, -0.25, 0.1), 4.0, 0.40),
        (interest_rate_shock(150), (-0.075, -0.15, 0.03, 0.045), 1.5, 0.10),
        (liquidity_crisis(), (-0.25, -0.20, -0.30, 0.25), 3.5, 0.50),
    ],
)
def test_named_shocks_move_every_class(
    shock: Shock, returns: tuple[float, ...], volatility: float, correlation: float
) -> None:
    assert [shock.by_class[kind] for kind in ORDER] == pytest.approx(returns)
    assert (shock.volatility, shock.correlation) == (volatility, correlation)
    assert shock.assumptions


def test_all_named_shocks_can_be_had_by_name(book: Book) -> None:
    assert all(np.isfinite(make().returns(book)).all() for make in NAMED.values())


def test_an_asset_goes_before_its_class(book: Book) -> None:
    shock = Shock(name="own", by_class=dict.fromkeys(ORDER, -0.1), by_asset={"BOND": 0.02})
    assert shock.returns(book).tolist() == [-0.1, -0.1, 0.02, -0.1, -0.1]


def test_what_a_shock_does_not_name_is_an_error(book: Book) -> None:
    with pytest.raises(RiskError, match=r"says nothing of BOND \(class fixed_income\)"):
        Shock(name="own", by_class={"equity": -0.1}).returns(book)
    with pytest.raises(RiskError, match="which the book does not hold"):
        Shock(name="own", by_asset={"OTHER": -0.1}).returns(book)


def test_a_scaled_shock_moves_in_proportion() -> None:
    half = scaled(crisis_2008(), 0.5)
    assert half.by_class["equity"] == -0.275
    assert half.volatility == 3.0


def test_impossible_shocks_are_refused() -> None:
    with pytest.raises(RiskError, match=r"moves equity by -1\.5"):
        Shock(name="own", by_class={"equity": -1.5})
    with pytest.raises(RiskError, match="moves A by nan"):
        Shock(name="own", by_asset={"A": float("nan")})
    with pytest.raises(RiskError, match="volatility factor of 0"):
        Shock(name="own", volatility=0.0)
    with pytest.raises(RiskError, match="adds 2"):
        Shock(name="own", correlation=2.0)
    with pytest.raises(RiskError, match="Crash magnitude 1"):
        severe_market_crash(1.2)
    with pytest.raises(RiskError, match="moves fixed_income"):
        interest_rate_shock(1_100)
