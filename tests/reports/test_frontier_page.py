import json
import re
from pathlib import Path
from typing import Any

from nt_ray.reports.frontier_page import MOST_AREAS, FrontierRecord, Point, render_frontier, write_frontier


def record_of(assets: int) -> FrontierRecord:
    symbols = tuple(f"<S{i}>" for i in range(assets))
    even = tuple(1.0 / assets for _ in symbols)
    line = tuple(Point(name=f"p{i}", volatility=0.1 + 0.01 * i, expected=0.02 * i, weights=even) for i in range(5))
    return FrontierRecord(
        title="max <sharpe>",
        symbols=symbols,
        chosen=line[2],
        frontier=line,
        assets=tuple(Point(name=s, volatility=0.2, expected=0.1) for s in symbols),
        facts=[("solver", "active_set")],
    )


def figures_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found
    figures: dict[str, Any] = json.loads(found.group(1))
    return figures


def test_the_page_shows_curve_assets_and_choice_without_markup_of_names(tmp_path: Path) -> None:
    page = write_frontier(record_of(3), tmp_path / "page.html").read_text(encoding="utf-8")
    figures = figures_of(page)
    assert set(figures) == {"frontier", "weights", "shares"} == set(re.findall(r'id="figure-([a-z]+)"', page))
    assets, curve, chosen = figures["frontier"]["data"]
    assert assets["x"] == [0.2] * 3
    assert curve["y"] == [0.0, 0.02, 0.04, 0.06, 0.08]
    assert (chosen["x"], chosen["y"]) == ([0.12], [0.04])
    assert "<S0>" not in page
    assert "max &lt;sharpe&gt;" in page


def test_shares_along_the_frontier_sum_to_the_budget_however_many_assets() -> None:
    traces = figures_of(render_frontier(record_of(20)))["shares"]["data"]
    assert len(traces) == MOST_AREAS + 1
    assert abs(sum(trace["y"][0] for trace in traces) - 1.0) < 1e-4
