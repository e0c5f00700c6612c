import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.market.bars import BarPanel
from nt_ray.market.source import load_panel
from nt_ray.portfolio.moments.shrinkage import ledoit_wolf
from nt_ray.reports.record import to_plain
from nt_ray.risk.backtests.rolling import backtest
from nt_ray.risk.measures.catalogue import MEASURES, measure
from nt_ray.risk.report.holdings import Holdings, Position, holdings_of, whole_stop
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.report import RiskReport, risk_report
from nt_ray.risk.stress.reverse import reverse_stress
from nt_ray.risk.stress.shocks import Shock
from nt_ray.types import FloatArray

EQUITY = Decimal(20_000)


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    return load_panel("sp500", symbols=["KO", "XOM", "AAPL"])


@pytest.fixture(scope="module")
def holdings() -> Holdings:
    return holdings_of(
        [
            Position(
                symbol="KO",
                quantity=Decimal(100),
                price=Decimal(60),
                stops=(whole_stop(Decimal(100), Decimal(55)),),
                sector="drinks",
            ),
            Position(symbol="AAPL", quantity=Decimal(-20), price=Decimal(130)),
            Position(symbol="XOM", quantity=Decimal(30), price=Decimal(100), asset_class="commodity"),
        ],
        EQUITY,
        "a test",
    )


@pytest.fixture(scope="module")
def report(holdings: Holdings, panel: BarPanel) -> RiskReport:
    return risk_report(holdings, panel, ReportPlan(history=600, window=200, backtested=("historical", "normal")))


def past(panel: BarPanel, rows: int = 600) -> FloatArray:
    closes = panel.select(["KO", "AAPL", "XOM"]).closes
    return (closes[1:] / closes[:-1] - 1.0)[-rows:]


WEIGHTS = np.array([0.3, -0.13, 0.15])


def test_every_row_of_the_tails_is_what_its_method_answers(report: RiskReport, panel: BarPanel) -> None:
    assert {(r.method, r.confidence, r.horizon) for r in report.tails} == {
        (name, c, h) for name in MEASURES for c in (0.95, 0.99) for h in (1, 10)
    }
    for row in report.tails:
        if row.method in ("historical", "normal", "student_t", "filtered", "monte_carlo_t"):
            tail = measure(row.method, past(panel), row.confidence, row.horizon, weights=WEIGHTS)
            assert (row.var, row.es) == (tail.var, tail.es)
        assert row.var_money == pytest.approx((row.var or 0.0) * 20_000)
        assert row.es is not None
        assert row.var is not None
        assert row.es >= row.var


def test_a_method_that_refuses_says_why_and_gives_no_number(holdings: Holdings, panel: BarPanel) -> None:
    made = risk_report(holdings, panel, ReportPlan(history=60, methods=("historical", "filtered"), horizons=(1,)))
    by_name = {(row.method, row.confidence): row for row in made.tails}
    for confidence in (0.95, 0.99):
        row = by_name["filtered", confidence]
        assert (row.var, row.es, row.var_money) == (None, None, None)
        assert "100" in row.refused
    assert by_name["historical", 0.95].var is not None
    assert "tail" in by_name["historical", 0.99].refused
    assert all(test.rolled is None and "250" in test.refused for test in made.model_tests)


def test_components_sum_to_the_portfolio(report: RiskReport) -> None:
    assert [part.method for part in report.components] == ["historical", "normal"]
    for part in report.components:
        assert sum(row.component_var for row in part.rows) == pytest.approx(part.var)
        assert sum(row.component_es for row in part.rows) == pytest.approx(part.es)
        assert [row.symbol for row in part.rows] == ["KO", "AAPL", "XOM"]
    historical = next(r for r in report.tails if (r.method, r.confidence, r.horizon) == ("historical", 0.99, 1))
    assert report.components[0].es == pytest.approx(historical.es)


def test_the_model_is_tested_as_a_backtest_of_its_returns_is(report: RiskReport, panel: BarPanel) -> None:
    direct = backtest(past(panel) @ WEIGHTS, "normal", 200, 0.99)
    found = next(test for test in report.model_tests if test.method == "normal")
    assert found.kupiec == direct.kupiec
    assert found.traffic_light == direct.traffic_light
    assert found.shortfall == direct.shortfall
    assert found.rolled is not None
    assert len(found.rolled.times) == 400
    assert sum(found.rolled.violations) == found.violations
    assert found.expected == pytest.approx(4.0)


def test_windows_reach_as_far_as_the_data_and_shocks_weigh_by_class(report: RiskReport) -> None:
    rows = {(row.kind, row.name): row for row in report.stress.rows}
    gone = rows["window", "black_monday_1987"]
    assert gone.loss is None
    assert "1990" in gone.refused
    covid = rows["window", "covid_2020"]
    assert covid.loss == pytest.approx(sum(covid.by_asset.values()))
    # Equities fall by 55 %, commodities by 40 %: 0.55 (0.30 - 0.13) + 0.40 * 0.15.
    assert rows["shock", "2008_crisis"].loss == pytest.approx(0.1535)
    assert rows["shock", "2008_crisis"].loss_money == pytest.approx(3070)
    # Of the 0.50 that must be left, 0.3465 may still be lost; as good as sure within ten days.
    assert rows["shock", "2008_crisis"].survival == pytest.approx(1.0, abs=1e-3)
    assert report.stress.floor == 0.5
    assert report.stress.notes == ("classes guessed from symbols: KO equity, AAPL equity",)


def test_reverse_stress_is_the_closed_form_of_the_shrunk_covariance(report: RiskReport, panel: BarPanel) -> None:
    direct = reverse_stress(WEIGHTS, ledoit_wolf(past(panel)), 0.2, horizon=10)
    row = next(row for row in report.stress.reverse if row.horizon == 10)
    assert row.distance == pytest.approx(direct.distance)
    assert list(row.shock.values()) == pytest.approx(direct.shock.tolist())


def test_a_shock_that_does_not_know_a_class_says_so_in_its_row(holdings: Holdings, panel: BarPanel) -> None:
    plan = ReportPlan(history=300, methods=("normal",), backtested=(), shocks=(Shock(name="x", by_class={"fx": 0.1}),))
    row = risk_report(holdings, panel, plan).stress.rows[-1]
    assert (row.name, row.loss, row.survival) == ("x", None, None)
    assert "KO" in row.refused


def test_structure_counts_heat_where_stops_are_known(report: RiskReport) -> None:
    held = report.structure
    assert held.concentration.gross == pytest.approx(0.58)
    assert held.by_class["commodity"].net == pytest.approx(0.15)
    assert held.by_sector["drinks"].gross == pytest.approx(0.3)
    assert held.heat is not None
    # 100 shares fall from 60 to the stop at 55.
    assert held.heat.total == pytest.approx(500 / 20_000)
    assert held.heat.unprotected == ("AAPL", "XOM")


def test_the_drawdown_is_that_of_constant_weights(report: RiskReport, panel: BarPanel) -> None:
    wealth = np.cumprod(1.0 + past(panel) @ WEIGHTS)
    highest = np.maximum.accumulate(np.concatenate([[1.0], wealth]))[1:]
    np.testing.assert_allclose(report.path.drawdown, wealth / highest - 1.0, atol=1e-12)
    assert report.path.times[-1] == "2022-12-28"


def test_one_position_has_no_correlations_and_the_rest_is_there(panel: BarPanel) -> None:
    alone = holdings_of([Position(symbol="KO", quantity=Decimal(10), price=Decimal(60))])
    made = risk_report(alone, panel, ReportPlan(history=400, methods=("historical",), backtested=()))
    assert made.dependence is None
    assert "KO" in made.dependence_refused
    assert made.regime is not None
    assert made.regime.volatilities[0] < made.regime.volatilities[1]
    assert sum(made.regime.chances) == pytest.approx(1.0)
    assert made.structure.heat is None


def keys(value: object, path: str = "") -> set[str]:
    """Return the names in a tree of JSON; members of tables by symbol or scenario count as one."""
    if isinstance(value, dict):
        free = path.endswith(("by_asset", "shock", "by_class", "by_sector", "by_symbol"))
        return {k for name, below in value.items() for k in keys(below, f"{path}.{'*' if free else name}")} or {path}
    if isinstance(value, list):
        return {k for below in value for k in keys(below, f"{path}[]")} or {path}
    return {path}


def test_the_json_keeps_its_names(report: RiskReport) -> None:
    plain = json.loads(json.dumps(to_plain(report.as_data()), allow_nan=False))
    assert plain["schema"] == 1
    assert set(plain) == {
        "schema", "source", "data", "time", "equity", "periods", "periods_per_year", "volatility", "positions", "tails",
        "components", "model_tests", "stress", "structure", "dependence", "dependence_refused", "regime",
        "regime_refused", "path",
    }  # fmt: skip
    names = keys(plain)
    assert {k for k in names if k.startswith(".tails")} == {
        f".tails[].{name}" for name in ("method", "confidence", "horizon", "var", "es", "var_money", "es_money",
                                        "notes", "notes[]", "refused")
    }  # fmt: skip
    assert {
        ".positions[].weight", ".components[].rows[].component_es", ".model_tests[].kupiec.p_value",
        ".model_tests[].traffic_light.zone", ".model_tests[].shortfall[].statistic", ".model_tests[].rolled.var[]",
        ".stress.rows[].by_asset.*", ".stress.reverse[].shock.*", ".stress.correlations[].var",
        ".structure.concentration.hhi", ".structure.heat.by_symbol.*", ".dependence.correlation[][]", ".regime.now",
        ".path.drawdown[]",
    } <= names  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"confidences": (0.4,)}, "0.4"),
        ({"horizons": (0,)}, "Horizon 0"),
        ({"confidences": ()}, "confidence"),
        ({"history": 1}, "history of 1"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(RiskError, match=said):
        replace(ReportPlan(), **change)  # type: ignore[arg-type]


def test_holdings_that_make_no_sense_are_refused() -> None:
    def at(symbol: str, quantity: int, price: str = "10") -> Position:
        return Position(symbol=symbol, quantity=Decimal(quantity), price=Decimal(price))

    with pytest.raises(RiskError, match="KO stands twice"):
        holdings_of([at("KO", 1), at("KO", 2)])
    with pytest.raises(RiskError, match="no position"):
        holdings_of([at("KO", 0)])
    with pytest.raises(RiskError, match="Equity is -10"):
        holdings_of([at("KO", -1)])
    with pytest.raises(RiskError, match="price of 0"):
        at("KO", 1, "0")
    with pytest.raises(RiskError, match="stop at NaN"):
        replace(at("KO", 1), stops=(whole_stop(Decimal(1), Decimal("NaN")),))
    assert holdings_of([at("KO", 1), at("XOM", 0)]).symbols == ("KO",)


def test_bars_that_a_position_lacks_are_left_out_for_all(holdings: Holdings, panel: BarPanel) -> None:
    values = panel.values.copy()
    values[-5, 0] = np.nan
    gappy = replace(panel, values=values)
    made = risk_report(holdings, gappy, ReportPlan(history=300, methods=("normal",), backtested=()))
    closes = np.delete(panel.select(["KO", "AAPL", "XOM"]).closes, -5, axis=0)
    joined = (closes[1:] / closes[:-1] - 1.0)[-300:]
    assert made.tails[0].var == measure("normal", joined, 0.95, weights=WEIGHTS).var
