import dataclasses
import json
import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from nt_ray.backtest.metrics import measure
from nt_ray.errors import ReportError
from nt_ray.reports.record import RunRecord, summary, to_plain

MakeRecord = Callable[..., RunRecord]


def test_the_summary_survives_json_and_holds_both_sides(make_record: MakeRecord) -> None:
    record = make_record()
    result = summary(record)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    curve = np.concatenate(([1e5], record.equity))
    own = measure(curve, 252.0, benchmark=np.concatenate(([1e5], record.benchmark)))
    assert result["strategy"] == dataclasses.asdict(own)
    assert result["benchmark"]["sharpe"] == measure(np.concatenate(([1e5], record.benchmark)), 252.0).sharpe
    assert result["final_equity"] == record.equity[-1]
    assert result["start"] == "2013-01-02T00:00:00+00:00"
    assert (result["bars"], result["agents"], result["fills"]) == (2516, 12, 450)
    assert result["denials"] == {"max_gross": 15, "price_collar": 5}


def test_a_loss_on_the_first_bar_counts(make_record: MakeRecord) -> None:
    record = make_record()
    doubled = make_record(initial_cash=2e5)
    assert summary(record)["strategy"]["total_return"] == pytest.approx(record.equity[-1] / 1e5 - 1.0)
    assert summary(doubled)["strategy"]["max_drawdown"] <= -0.5


def test_what_is_not_finite_becomes_null() -> None:
    given = {"a": np.float64("nan"), "b": [math.inf, np.int64(3)], 4: (np.True_, None), "c": np.array([1.5])}
    assert to_plain(given) == {"a": None, "b": [None, 3], "4": [True, None], "c": [1.5]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gross": np.zeros(3)}, r"gross has shape \(3,\) beside 2516 times"),
        ({"equity": np.full(2516, np.nan)}, "equity holds values that are not finite"),
        ({"initial_cash": 0.0}, "initial_cash = 0.0 is not positive"),
        ({"trades": pl.DataFrame({"time": []})}, "trades lacks column 'account'"),
        ({"agents": pl.DataFrame({"agent": []})}, "agents lacks column 'name'"),
        ({"times": np.array([], dtype=np.int64)}, "has no bars"),
    ],
)
def test_a_record_that_does_not_fit_itself_is_refused(
    make_record: MakeRecord, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ReportError, match=message):
        make_record(**changes)
