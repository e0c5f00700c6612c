import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from nt_ray.errors import StorageError
from nt_ray.neural.synthetic.dependence import KINDS
from nt_ray.neural.synthetic.stylised_facts import Facts, distances, facts
from nt_ray.reports.synthetic_page import (
    SyntheticReport,
    curve,
    distance_table,
    quantiles,
    render_synthetic,
    write_synthetic,
)


def drawn(seed: int, paths: int) -> Facts:
    return facts(np.random.default_rng(seed).standard_t(6, (paths, 400)) / 100, 30)


@pytest.fixture
def report() -> SyntheticReport:
    sources = {"network <b>": drawn(1, 3), "GARCH(1,1)": drawn(2, 3)}
    return SyntheticReport(
        "S&P <i>", "2009 to 2018", drawn(3, 1), sources, {"2019 to 2022": drawn(4, 1)}, "Fitted <u>."
    )


def test_the_page_draws_every_figure_it_has_a_place_for_and_escapes_names(report: SyntheticReport) -> None:
    page = render_synthetic(report)
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert set(json.loads(found[1])) == set(re.findall(r'id="figure-([a-z-]+)"', page)) == {*KINDS, "quantiles"}
    HTMLParser().feed(page)
    assert "<b>" not in page.split("<script", 1)[0]
    assert "network &lt;b&gt;" in page
    assert page.count("Distances from") == 2
    assert "Fitted &lt;u&gt;. Autocorrelations" in page


def test_a_curve_is_the_history_then_each_source_over_the_lags(report: SyntheticReport) -> None:
    figure = curve(report, 1)["data"]
    assert [trace["name"] for trace in figure] == ["2009 to 2018", "network &lt;b&gt;", "GARCH(1,1)"]
    assert figure[0]["x"] == list(range(1, 31))
    np.testing.assert_allclose(figure[2]["y"], report.sources["GARCH(1,1)"].curves[1], atol=1e-6)


def test_quantiles_of_a_source_that_is_twice_the_history_lie_on_a_line_of_slope_two(report: SyntheticReport) -> None:
    twice = replace(report.history, quantiles=2.0 * report.history.quantiles)
    diagonal, marks = quantiles(replace(report, sources={"twice": twice}))["data"]
    np.testing.assert_allclose(marks["y"], 2.0 * np.array(marks["x"]), atol=2e-6)
    assert diagonal["x"] == diagonal["y"] == [marks["x"][0], marks["x"][-1]]
    assert len(marks["x"]) > 100


def test_the_table_shows_the_distances(report: SyntheticReport) -> None:
    shown = distance_table(report.history, report.sources)
    found = distances(report.history, report.sources["GARCH(1,1)"])
    row = shown.split("GARCH(1,1)")[1].split("</tr>")[0]
    cells = re.findall(r"<td>([^<]*)</td>", row)
    assert cells[:4] == [
        f"{found.returns:.4f}",
        f"{found.absolute:.4f}",
        f"{found.squares:.4f}",
        f"{found.leverage:.3f}",
    ]


def test_a_page_that_cannot_be_written_names_its_path(report: SyntheticReport, tmp_path: Path) -> None:
    assert write_synthetic(report, tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(StorageError, match="nowhere"):
        write_synthetic(report, tmp_path / "nowhere" / "page.html")
