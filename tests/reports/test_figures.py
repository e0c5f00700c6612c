from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest

from nt_ray.backtest.metrics import drawdown_table, drawdowns
from nt_ray.reports import figures
from nt_ray.reports.graph import swarm_graph
from nt_ray.reports.record import RunRecord

MakeRecord = Callable[..., RunRecord]
ALL = (
    figures.equity,
    figures.underwater,
    figures.exposure,
    figures.costs,
    figures.traded_value,
    figures.contributions,
    swarm_graph,
)


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("agents", [1, 12, 90])
def test_plotly_itself_accepts_every_figure(make_record: MakeRecord, draw: Callable[..., dict], agents: int) -> None:
    figure = draw(make_record(agents=agents))
    assert len(go.Figure(figure).data) == len(figure["data"])


def test_the_equity_figure_shows_the_records_own_numbers(make_record: MakeRecord) -> None:
    record = make_record()
    benchmark, own = figures.equity(record)["data"]
    assert own["y"] == np.round(record.equity, 2).tolist()
    assert benchmark["y"] == np.round(record.benchmark, 2).tolist()
    assert (own["x"][0], own["x"][-1]) == ("2013-01-02", "2022-12-28")


def test_the_five_deepest_drawdowns_are_shaded_from_peak_to_recovery(make_record: MakeRecord) -> None:
    record = make_record()
    figure = figures.underwater(record)
    worst = drawdown_table(record.times, record.equity_curve)
    shapes = figure["layout"]["shapes"]
    assert [s["x0"][:10] for s in shapes] == [f"{d.peak:%Y-%m-%d}" for d in worst]
    assert shapes[3]["x1"] == "2022-12-28T00:00:00"
    assert min(figure["data"][1]["y"]) == pytest.approx(drawdowns(record.equity_curve).min(), abs=1e-5)


def test_long_runs_are_thinned_without_losing_the_peak(make_record: MakeRecord) -> None:
    count = 200_000
    equity = 1e5 + np.random.default_rng(5).normal(size=count).cumsum()
    flat = np.zeros(count)
    times = np.arange(count) * 60_000_000_000
    record = make_record(times=times, equity=equity, benchmark=equity, gross=flat, net=flat, costs=flat)
    own = figures.equity(record)["data"][1]
    assert len(own["x"]) == len(own["y"]) <= 4000
    assert max(own["y"]) == round(equity.max(), 2)


def test_contributions_are_sorted_and_coloured_by_strategy(make_record: MakeRecord) -> None:
    record = make_record(agents=6)
    figure = figures.contributions(record)
    bars = sorted(
        (y, x, t) for trace in figure["data"] for x, y, t in zip(trace["x"], trace["y"], trace["text"], strict=True)
    )
    values = [x for _, x, _ in bars]
    assert values == sorted(values, reverse=True)
    assert [trace["name"] for trace in figure["data"]] == ["momentum", "mean-reversion", "pairs"]
    assert len({trace["marker"]["color"] for trace in figure["data"]}) == 3


def test_an_agent_without_a_contribution_stands_last(make_record: MakeRecord) -> None:
    record = make_record(agents=4)
    agents = record.agents.with_columns(contribution=pl.Series([np.nan, 0.1, None, 0.3], strict=False))
    ranked = make_record(agents=agents).ranked_agents
    assert ranked["agent"].to_list()[:2] == [3, 1]
    assert ranked["contribution"].to_list()[2:] == [None, None]


def test_traded_value_sums_quantity_times_price_by_month(make_record: MakeRecord) -> None:
    record = make_record(trades=30)
    trades = record.trades.to_dicts()
    figure = figures.traded_value(record)
    assert sum(figure["data"][0]["y"]) == pytest.approx(float(sum(t["quantity"] * t["price"] for t in trades)))


def test_unknown_exposure_is_a_gap(make_record: MakeRecord) -> None:
    figure = figures.exposure(make_record(net=np.full(2516, np.nan)))
    assert set(figure["data"][1]["y"]) == {None}
