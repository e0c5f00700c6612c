import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.scenarios import scenarios
from nt_ray.neural.synthetic.source import PathSource

Answer = Callable[..., dict[str, Any]]

TINY = ("steps=30", "window=32", "critic_layers=2", "lags=30", "layers=4", "width=4", "paths=2", "windows=4")
DATA = ("--data", "sp500-index", "--start", "2017-01-01", "--end", "2018-12-31")
SMALL = (*DATA, *(word for one in TINY for word in ("--param", one)))


def test_a_generator_is_trained_kept_judged_and_drawn_from(answer: Answer, tmp_path: Path) -> None:
    made = answer("synthesize", *SMALL, "--paths", "3", "--length", "7", "--register", "sp")
    assert (made["symbol"], made["steps"], made["registered"]) == ("SP500", 30, "sp/1")
    source = PathSource.load(Path(made["bundle"]))
    table = pl.read_parquet(made["paths"])
    assert table.columns == ["path", "step", "return"]
    drawn = source.paths(3, 7, seed=7)
    np.testing.assert_array_equal(table["return"].to_numpy().reshape(3, 7), drawn)
    assert table["step"].to_list() == [*range(1, 8)] * 3
    assert list(made["distances"]) == ["network", "GARCH(1,1)", "stationary bootstrap", "independent draws"]
    # A bootstrap copies the history's own dependence, so independent draws are further from it.
    apart = {name: found["absolute"] for name, found in made["distances"].items()}
    assert apart["stationary bootstrap"] < apart["independent draws"]
    page = Path(made["page"]).read_text()
    for words in ("Autocorrelation of absolute returns", "Leverage", "GARCH(1,1)"):
        assert words in page

    again = answer("synthesize", "--model", "sp/1", "--paths", "2", "--length", "7", "--out", "some.csv")
    assert again == {"model": "sp/1", "paths": "some.csv"}
    np.testing.assert_allclose(pl.read_csv("some.csv")["return"].to_numpy().reshape(2, 7), drawn[:2])
    assert answer("models", "register", made["bundle"], "other") == {"name": "other", "version": 1}
    assert answer("models", "show", "sp/1")["lineage"]["symbol"] == "SP500"

    (tmp_path / "mine.csv").write_text("symbol,quantity\nKO,10\nPEP,5\n")
    stressed = answer("stress", "--positions", "mine.csv", "--data", "sp500", "--synthetic", "sp/1", "--horizon", "5")
    (row,) = stressed["rows"]
    ends = scenarios(source, 1000, 5, seed=7).cumulative[:, -1]
    # The portfolio is all equities, which fall with the worst twentieth.
    assert row["name"] == "synthetic sp/1"
    assert row["loss"] == pytest.approx(-np.sort(ends)[:50].mean())


def test_a_training_that_was_cut_off_ends_with_the_same_bits(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    from nt_ray.neural.synthetic import durable

    whole = answer("synthesize", *SMALL, "--paths", "1", "--length", "4", "--runs", "whole")
    saved = durable.GanTraining.save

    def killed(run: durable.GanTraining, folder: Path) -> None:
        saved(run, folder)
        raise NeuralError("Killed. Go on.")

    with monkeypatch.context() as patch:
        patch.setattr(durable.GanTraining, "save", killed)
        assert "Killed" in answer("synthesize", *SMALL, "--runs", "cut", code=2)["error"]["message"]
    (place,) = Path("cut").iterdir()
    assert json.loads((place / "checkpoint/state.json").read_text())["step"] == 25
    again = answer("synthesize", *SMALL, "--paths", "1", "--length", "4", "--runs", "cut")
    assert pl.read_parquet(again["paths"]).equals(pl.read_parquet(whole["paths"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "sp500-index", "--start", "2018-12-01", "--end", "2018-12-31"), "are too few for windows"),
        (("--data", "sp500"), "learns one series, and the data have 20"),
        ((*DATA, "--param", "stepz=3"), "stepz=3"),
        ((*DATA, "--param", "window=8"), "cannot be halved"),
        ((*DATA, "--out", "paths.txt"), "neither .parquet nor .csv"),
        (("--model", "sp/1", "--param", "steps=3"), "drawn from as it is"),
        (("--model", "sp"), "names no version"),
    ],
)
def test_what_cannot_be_synthesised_is_refused(answer: Answer, arguments: tuple[str, ...], words: str) -> None:
    assert words in answer("synthesize", *arguments, code=2)["error"]["message"]
