import json
import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nt_ray.errors import ReportError, StorageError
from nt_ray.reports.sweep import against_held_out, axis_of, heatmap, parallel, render_sweep, write_sweep


@pytest.fixture
def grid() -> pl.DataFrame:
    rows = [(a, b, c, a * 10 + b + c) for a, b, c in product((1.0, 2.0, 3.0), (10.0, 20.0), (0.1, 0.2, 0.9))]
    frame = pl.DataFrame(rows, schema=["a", "b", "c", "sharpe"], orient="row")
    return frame.with_columns(train_sharpe=pl.col("sharpe"), test_sharpe=pl.col("sharpe") / 2)


def drawn(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_a_cell_holds_the_largest_or_the_median_over_the_other_parameters(grid: pl.DataFrame) -> None:
    best, middle = (heatmap(grid, "a", "b", "sharpe", how)["data"][0] for how in ("max", "median"))
    assert (best["x"], best["y"]) == (["1", "2", "3"], ["10", "20"])
    expected = grid.group_by("a", "b").agg(
        pl.col("sharpe").max().alias("max"), pl.col("sharpe").median().alias("median")
    )
    for i, j in product(range(3), range(2)):
        cell = expected.row(by_predicate=(pl.col("a") == i + 1) & (pl.col("b") == 10 * (j + 1)), named=True)
        assert best["z"][j][i] == pytest.approx(cell["max"])
        assert middle["z"][j][i] == pytest.approx(cell["median"])


def test_a_cell_without_a_candidate_stays_empty(grid: pl.DataFrame) -> None:
    holed = grid.filter(~((pl.col("a") == 2) & (pl.col("b") == 20)))
    cells = heatmap(holed, "a", "b", "sharpe", "max")["data"][0]["z"]
    assert [v is None for row in cells for v in row] == [False, False, False, False, True, False]


def test_values_that_hardly_repeat_share_bins_that_hold_them() -> None:
    values = np.random.default_rng(1).uniform(5.0, 80.0, 100)
    axis = axis_of(pl.DataFrame({"p": values}), "p")
    assert len(axis.names) == 10
    edges = np.linspace(values.min(), values.max(), 11)
    assert axis.cells == tuple((np.digitize(values, edges[1:-1])).tolist())


def test_parallel_coordinates_draw_every_candidate_once_and_the_best_last(grid: pl.DataFrame) -> None:
    ranked = grid.sort("sharpe", descending=True)
    traces = parallel(ranked, ["a", "b"], ["sharpe"])["data"]
    assert [t["name"] for t in traces] == ["last quarter", "third", "second", "best quarter"]
    assert sum(t["x"].count(0) for t in traces) == grid.height
    assert traces[-1]["y"][:3] == [1.0, 1.0, 1.0]  # the best has the largest a, b and Sharpe ratio
    assert all(len(t["x"]) == len(t["y"]) == len(t["text"]) for t in traces)


def test_the_held_out_figure_has_the_candidates_that_have_both(grid: pl.DataFrame) -> None:
    partly = grid.with_columns(test_sharpe=pl.when(pl.col("a") > 1).then(pl.col("test_sharpe")))
    dots = against_held_out(partly, "sharpe", "test_sharpe")["data"][1]
    assert len(dots["x"]) == 12
    assert dots["y"] == [x / 2 for x in dots["x"]]


def test_the_page_shows_maps_of_the_two_widest_parameters(grid: pl.DataFrame, tmp_path: Path) -> None:
    path = write_sweep(grid, ["a", "b", "c"], tmp_path / "sweep.html", title="<b>momentum</b>", metric="sharpe")
    page = path.read_text(encoding="utf-8")
    HTMLParser().feed(page)
    figures = drawn(page)
    assert set(figures) == {"best", "median", "parallel", "importance", "held-out"}
    assert figures["best"]["layout"]["xaxis"]["title"]["text"] == "a"
    assert figures["best"]["layout"]["yaxis"]["title"]["text"] == "c"
    for name in figures:
        assert f'id="figure-{name}"' in page
    assert "<b>momentum" not in page
    assert "default-src 'none'" in page


def test_one_parameter_is_drawn_as_a_line_of_dots(grid: pl.DataFrame) -> None:
    assert set(drawn(render_sweep(grid, ["a"], title="one", metric="sharpe"))) == {"along", "parallel", "held-out"}


def test_one_candidate_to_a_cell_needs_one_map(grid: pl.DataFrame) -> None:
    single = grid.filter(pl.col("b") == pl.col("b").min())
    assert set(drawn(render_sweep(single, ["a", "c"], title="x", metric="sharpe"))) == {"best", "parallel", "held-out"}


def test_candidates_without_a_score_stand_in_the_table_alone(grid: pl.DataFrame) -> None:
    nothing = grid.with_columns(sharpe=pl.lit(None, dtype=pl.Float64))
    page = render_sweep(nothing, ["a", "b"], title="none", metric="sharpe")
    assert drawn(page) == {}
    assert "none has a defined score" in page


def test_a_table_that_cannot_be_shown_is_refused(grid: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="lacks column 'd'"):
        render_sweep(grid, ["a", "d"], title="x", metric="sharpe")
    with pytest.raises(ReportError, match="No parameter"):
        render_sweep(grid, [], title="x", metric="sharpe")
    with pytest.raises(ReportError, match="no candidates"):
        render_sweep(grid.head(0), ["a"], title="x", metric="sharpe")
    with pytest.raises(StorageError, match="cannot be written"):
        write_sweep(grid, ["a"], tmp_path / "no" / "page.html", title="x", metric="sharpe")
