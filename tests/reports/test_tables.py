import re
from collections.abc import Callable

import pytest

from nt_ray.reports import tables
from nt_ray.reports.record import RunRecord

MakeRecord = Callable[..., RunRecord]


def test_an_empty_table_says_so() -> None:
    assert tables.table(["a"], []) == '<p class="none">None.</p>'


def test_the_first_columns_are_text_and_the_others_numbers() -> None:
    assert tables.table(["a", "b"], [["x", "1"]], left=1) == (
        '<div class="scroll"><table class=""><thead><tr><th class="t">a</th><th>b</th></tr></thead>'
        '<tbody><tr><td class="t">x</td><td>1</td></tr></tbody></table></div>'
    )


def test_settings_are_flattened_with_dots_and_places(make_record: MakeRecord) -> None:
    settings = {"a": {"b": {"c": 1}, "d": []}, "e": [{"f": None}, {"f": "<"}], "g": [1, 2], "h": {}}
    shown = tables.settings_table(make_record(settings=settings))
    for name, value in (
        ("a.b.c", "1"),
        ("a.d", ""),
        ("e[1].f", "–"),
        ("e[2].f", "&lt;"),
        ("g", "1, 2"),
        ("h", "{}"),
    ):
        assert f'<td class="t">{name}</td><td class="t">{value}</td>' in shown


def test_the_worst_drawdowns_show_peak_trough_and_recovery(make_record: MakeRecord) -> None:
    shown = tables.worst_drawdowns(make_record())
    assert "<td>−35.84 %</td><td>2020-02-12</td><td>2020-03-23</td><td>2020-07-08</td><td>101</td>" in shown
    assert shown.count("<tr>") == 6


def test_a_month_without_bars_is_an_empty_cell_and_a_loss_is_red(make_record: MakeRecord) -> None:
    whole = make_record()
    names = ("times", "equity", "benchmark", "gross", "net", "costs")
    shown = tables.monthly_table(make_record(**{n: getattr(whole, n)[:30] for n in names}))
    january, february = re.findall(r'<td class="" style="background:rgba\((\d+),[^"]*">([^<]*)</td>', shown)
    assert january == ("179", "−4.6")
    assert february[0] == ("179" if february[1].startswith("−") else "11")
    assert shown.count("<td></td>") == 10


@pytest.mark.parametrize(("count", "listed"), [(3, 3), (600, 500)])
def test_agents_are_listed_best_first_up_to_a_limit(make_record: MakeRecord, count: int, listed: int) -> None:
    shown = tables.agents_table(make_record(agents=count))
    assert shown.count("<tr>") == listed + 1
    best = make_record(agents=count).ranked_agents["name"][0]
    assert shown.index(f">{best}<") < 400
