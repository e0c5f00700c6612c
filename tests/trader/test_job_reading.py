"""What a job's data mean, and what is refused before a job is taken."""

from decimal import Decimal
from typing import Any

import pytest

from nt_ray.config import Settings
from nt_ray.errors import BadInputError, NeuralTraderError
from nt_ray.trader.jobs.reading import check_spec, market_of_job, read_spec, settings_of
from nt_ray.trader.jobs.spec import Backtest

BACKTEST = {"kind": "backtest", "strategy": "momentum"}
SWEEP = {"kind": "sweep", "strategy": "sma_cross", "grid": {"fast": [5, 10]}}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "kind"),
        ({"kind": "theft"}, "kind|theft"),
        ({**BACKTEST, "extra": 1}, "extra"),
        ({**BACKTEST, "strategy": "/etc/passwd.py:X"}, "strategy"),
        ({**BACKTEST, "strategy": "momentun"}, "momentum"),
        ({**BACKTEST, "parameters": {"lookback": float("nan")}}, "lookback"),
        ({**BACKTEST, "parameters": {"lookbak": 3}}, "lookbak"),
        ({**BACKTEST, "parameters": {f"p{i}": 1 for i in range(65)}}, "parameters"),
        ({**BACKTEST, "source": "../secrets"}, "source"),
        ({**BACKTEST, "source": "not-there"}, "not-there"),
        ({**BACKTEST, "symbols": ["KO"] * 501}, "symbols"),
        ({**BACKTEST, "symbols": ["KO", "KO"]}, "differ"),
        ({**BACKTEST, "symbols": ["'; DROP TABLE"]}, "symbols"),
        ({**BACKTEST, "cash": "-1"}, "cash"),
        ({**BACKTEST, "start": "2020-01-02", "end": "2019-01-02"}, "later"),
        ({**SWEEP, "grid": {}}, "parameter"),
        ({**SWEEP, "grid": {"fast": []}}, "fast"),
        ({**SWEEP, "grid": {"fast": list(range(2, 1500)), "slow": list(range(3, 1500))}}, "combinations"),
        ({**SWEEP, "metric": "luck"}, "luck"),
        ({"kind": "run", "strategies": ["no_such"]}, "no_such"),
        ({"kind": "run", "hosts": 1000}, "hosts"),
        ({"kind": "train", "model": "no_such"}, "no_such"),
        ({"kind": "train", "model": "dlinear", "register_as": "../x"}, "register_as"),
        ({"kind": "train", "model": "gru", "past": ["/etc/passwd"]}, "past"),
        ({"kind": "train", "model": "gru", "past": ["volume", "volume"]}, "past"),
        ({"kind": "train", "model": "gru", "future": [f"f{i}" for i in range(17)]}, "future"),
        ({"kind": "search", "model": "no_such"}, "no_such"),
        ({"kind": "search", "model": "dlinear", "ranges": {"colour": [0, 1]}}, "colour"),
        ({"kind": "search", "model": "dlinear", "trials": 0}, "trials"),
        ({**BACKTEST, "forecasts": {"model": "dlinear", "epochs": 3}}, "epochs"),
        ({"kind": "comparison", "strategies": ["momentum", "no_such"]}, "no_such"),
        ({"kind": "comparison", "metric": "luck"}, "metric"),
        ({"kind": "comparison", "last": 1}, "last"),
        ({"kind": "benchmark", "strategy": "no_such"}, "no_such"),
        ({"kind": "benchmark", "strategy": "momentum", "repeats": 1}, "repeats"),
    ],
)
def test_a_job_that_cannot_be_worked_on_is_refused_with_its_fault_named(data: dict[str, Any], named: str) -> None:
    with pytest.raises(NeuralTraderError, match=named) as caught:
        check_spec(Settings(), read_spec(data))
    assert isinstance(caught.value, BadInputError)


@pytest.mark.parametrize("name", ["Backtest", "Sweep", "SwarmRun", "Train", "Search", "Comparison", "Benchmark"])
def test_the_example_of_each_kind_is_a_job_that_is_taken(name: str) -> None:
    from nt_ray.trader.jobs import spec

    for example in getattr(spec, name).model_config["json_schema_extra"]["examples"]:
        check_spec(Settings(), read_spec(example))


def test_a_job_changes_only_what_it_names() -> None:
    base = Settings()
    same = settings_of(base, read_spec(BACKTEST))
    assert same == base
    asked = settings_of(
        base, read_spec({**BACKTEST, "source": "stocks", "symbols": ["AAPL"], "start": "2005-01-03", "cash": "5000.00"})
    )
    assert (asked.data.source, asked.data.symbols, str(asked.data.start)) == ("stocks", ("AAPL",), "2005-01-03")
    assert asked.account.initial_cash == Decimal(5000)
    assert (asked.risk, asked.portfolio, asked.swarm, asked.seed) == (base.risk, base.portfolio, base.swarm, base.seed)


def test_networks_of_a_job_are_those_of_the_settings_but_for_what_it_names() -> None:
    base = Settings()
    inputs = settings_of(base, read_spec({"kind": "train", "model": "gru", "past": ["volume"], "future": ["weekday"]}))
    assert (inputs.neural.training.past, inputs.neural.training.future) == (("volume",), ("weekday",))
    # None of those of the settings, where none are asked for by an empty list.
    bare = settings_of(inputs, read_spec({"kind": "train", "model": "gru", "past": []})).neural.training
    assert (bare.past, bare.future) == ((), ("weekday",))
    learned = settings_of(base, read_spec({"kind": "train", "model": "dlinear", "batch": 7, "lr": 0.5})).neural
    assert learned.training == base.neural.training.model_copy(update={"batch": 7, "lr": 0.5})
    traded = settings_of(base, read_spec({**BACKTEST, "forecasts": {"model": "rlinear", "steps": 9}})).neural
    assert traded.forecast == base.neural.forecast.model_copy(update={"model": "rlinear", "steps": 9})
    assert (learned.forecast, traded.training) == (base.neural.forecast, base.neural.training)


def test_costs_of_a_backtest_are_exact_and_those_not_given_are_the_first_brokers() -> None:
    base = Settings()
    spec = read_spec({**BACKTEST, "commission_bps": "0.1"})
    assert isinstance(spec, Backtest)
    costs, market = market_of_job(base, spec)
    assert market == {"terms": {"commission_bps": Decimal("0.1")}}
    assert costs.slippage_bps == base.brokers.table(next(iter(base.brokers.enabled))).slippage_bps


def test_a_job_survives_the_way_through_json() -> None:
    for data in (BACKTEST, SWEEP, {"kind": "run", "hosts": 2, "seed": 3}, {"kind": "train", "model": "dlinear"}):
        spec = read_spec(data)
        assert read_spec(spec.model_dump(mode="json")) == spec
