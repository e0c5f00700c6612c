import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from nt_ray.errors import BadInputError, ReportError
from nt_ray.market.bars import BarPanel
from nt_ray.market.source import load_panel
from nt_ray.risk.heat import Stop
from nt_ray.trader.holdings import listing_of_file, listing_of_run, priced


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    return load_panel("sp500", symbols=["KO", "XOM"])


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "positions.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_is_read_exactly_and_missing_prices_are_last_closes(
    written: Callable[[str], Path], panel: BarPanel
) -> None:
    path = written("symbol,quantity,price,stop,asset_class,sector\nKO,10.5,60.10,55,equity,drinks\n\nXOM,-3,,,,\n")
    found = priced(listing_of_file(path), panel)
    first, second = found.positions
    assert first.value == Decimal("631.050")
    assert first.stops == (Stop(-1, Decimal(55), Decimal("10.5")),)
    assert (first.asset_class, first.sector) == ("equity", "drinks")
    assert float(second.price) == pytest.approx(panel.closes[-1, 1], abs=1e-4)
    assert found.equity == first.value + second.value
    assert priced(listing_of_file(path, Decimal(5000)), panel).equity == 5000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol,quantity\nKO,ten\n", "line 2: quantity 'ten' is no number"),
        ("symbol,quantity\nKO,1\n,2\n", "line 3: symbol is empty"),
        ("symbol,quantity,price\nKO,1,5\nXOM,1,-5\n", "line 3: price -5"),
        ("symbol,quantity,asset_class\nKO,1,equities\n", "line 2: there is no asset class 'equities'.*'equity'"),
        ("symbol,quantity\nKO,1,5\n", "line 2: there are 3 cells for 2 columns"),
        ("symbol,quantty\nKO,1\n", "line 1: there is no column 'quantty'.*'quantity'"),
        ("symbol,price\nKO,1\n", "line 1: column 'quantity' is missing"),
        ("symbol,quantity,symbol\nKO,1,KO\n", "line 1: a column stands twice"),
        ("symbol,quantity\n", "no row"),
        ("", "'quantity'|'symbol'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_by_its_line(written: Callable[[str], Path], text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        listing_of_file(written(text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"nowhere\.csv"):
        listing_of_file(tmp_path / "nowhere.csv")


def run_folder(folder: Path, gross: float) -> Path:
    rows = [("KO", "buy", "10"), ("KO", "sell", "4"), ("XOM", "sell", "2"), ("PEP", "buy", "1"), ("PEP", "sell", "1")]
    pl.DataFrame(
        {
            "symbol": [row[0] for row in rows],
            "side": [row[1] for row in rows],
            "quantity": pl.Series([Decimal(row[2]) for row in rows], dtype=pl.Decimal(38, 8)),
        }
    ).write_parquet(folder / "trades.parquet")
    pl.DataFrame({"gross": [0.0, gross]}).write_parquet(folder / "equity.parquet")
    (folder / "summary.json").write_text(json.dumps({"name": "swarm", "final_equity": 1000.0}), encoding="utf-8")
    return folder


def test_a_run_holds_the_sum_of_its_fills(tmp_path: Path, panel: BarPanel) -> None:
    ko, xom = panel.closes[-1]
    listing = listing_of_run(run_folder(tmp_path, float(6 * ko + 2 * xom) / 1000.0))
    assert listing.symbols == ("KO", "XOM")
    found = priced(listing, panel)
    assert [p.quantity for p in found.positions] == [6, -2]
    assert found.equity == 1000


def test_positions_that_do_not_give_the_recorded_exposure_are_refused(tmp_path: Path, panel: BarPanel) -> None:
    with pytest.raises(ReportError, match=r"3\.0000"):
        priced(listing_of_run(run_folder(tmp_path, 3.0)), panel)


def test_a_folder_without_a_run_says_what_to_give_instead(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="--positions"):
        listing_of_run(tmp_path)
