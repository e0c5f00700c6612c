import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nt_ray.backtest.metrics import drawdowns
from nt_ray.errors import StorageError
from nt_ray.reports.png import draw, months_of, write_png
from nt_ray.reports.record import RunRecord

MakeRecord = Callable[..., RunRecord]


def size_of(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    return width, height


def test_the_picture_is_a_page_wide_and_the_same_each_time(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record()
    one, two = (write_png(record, tmp_path / name) for name in ("one.png", "two.png"))
    width, height = size_of(one)
    assert width == 1320
    assert height > 900
    assert one.read_bytes() == two.read_bytes()


def test_its_lines_are_the_record(make_record: MakeRecord) -> None:
    record = make_record()
    equity, underwater, months, exposure = draw(record).axes
    assert np.array_equal(equity.lines[1].get_ydata(), record.equity)
    assert np.array_equal(equity.lines[0].get_ydata(), record.benchmark)
    assert np.array_equal(underwater.lines[1].get_ydata(), drawdowns(record.equity_curve)[1:])
    assert np.array_equal(exposure.lines[0].get_ydata(), record.gross)
    shown = np.asarray(months.images[0].get_array())
    assert shown.shape == (10, 13)  # 2013 to 2022


def test_months_compound_to_their_year_and_years_to_the_whole(make_record: MakeRecord) -> None:
    record = make_record()
    months = months_of(record)
    assert list(months) == sorted(months, reverse=True)
    for row in months.values():
        assert row[12] == pytest.approx(np.prod(1 + row[:12]) - 1, rel=1e-12, nan_ok=True) or np.isnan(row[:12]).any()
    grown = np.prod([1 + row[12] for row in months.values()])
    assert grown == pytest.approx(record.equity[-1] / record.initial_cash, rel=1e-12)


def test_names_that_look_like_formulas_or_hidden_labels_are_drawn_as_they_are(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    record = make_record(name="_$x_1$ and $", benchmark_name="$\\frac")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_png(record, tmp_path / "odd.png")
    labels = [t.get_text() for t in draw(record).axes[0].get_legend().get_texts()]
    assert len(labels) == 2


@pytest.mark.parametrize("bars", [1, 2, 30])
def test_a_short_run_and_one_that_ends_below_zero_are_drawn(make_record: MakeRecord, tmp_path: Path, bars: int) -> None:
    whole = make_record()
    cut = {
        name: getattr(whole, name)[:bars].copy() for name in ("times", "equity", "benchmark", "gross", "net", "costs")
    }
    cut["gross"][0] = np.nan
    write_png(make_record(**cut), tmp_path / "short.png")
    cut["equity"] = np.linspace(1e5, -5e4, bars)
    write_png(make_record(**cut), tmp_path / "ruined.png")


def test_a_folder_that_is_not_there_is_named(make_record: MakeRecord, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"picture .* cannot be written"):
        write_png(make_record(), tmp_path / "no" / "sheet.png")
