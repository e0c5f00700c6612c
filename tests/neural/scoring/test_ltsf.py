import gzip
from pathlib import Path

import numpy as np
import pytest

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.ltsf import load_task, months, repeat_score, score_task, shares


def write(path: Path, values: np.ndarray, dated: bool) -> Path:
    lines = [",".join(f"{v:.17g}" for v in row) for row in values]
    if dated:
        hours = np.datetime64("2016-07-01T00") + np.arange(len(values)) * np.timedelta64(1, "h")
        lines = ["date,x,y"] + [
            f"{str(t).replace('T', ' ')}:00:00,{line}" for t, line in zip(hours, lines, strict=True)
        ]
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.fixture
def values() -> np.ndarray:
    return np.cumsum(np.random.default_rng(0).normal(size=(15_000, 2)), axis=0)


def test_splits_are_those_of_the_protocol() -> None:
    assert months(17_420) == months(14_400)
    assert (months(17_420).train, months(17_420).validation, months(17_420).test) == (8640, 11_520, 14_400)
    # Exchange rates: 7,588 rows; 1,422 test windows at 96 steps.
    found = shares(7588)
    assert (found.train, found.validation, found.test) == (5311, 6071, 7588)
    assert found.test - found.validation - 96 + 1 == 1422


def test_a_task_is_scaled_by_its_training_rows_and_tested_on_every_window(tmp_path: Path, values: np.ndarray) -> None:
    task = load_task(write(tmp_path / "hours.csv", values, dated=True), "ett-hour")
    training = values[:8640]
    expected = ((values - training.mean(axis=0)) / training.std(axis=0))[:14_400].T
    np.testing.assert_allclose(task.panel.target, expected, rtol=1e-12, atol=1e-12)
    assert (task.name, task.panel.names, task.panel.frequency) == ("hours", ("x", "y"), "1h")
    assert (len(task.fitting), len(task.developing)) == (8640, 11_520)
    assert [len(task.origins(h)) for h in (96, 192, 336, 720)] == [2785, 2689, 2545, 2161]
    assert int(task.origins(96)[0]) == 11_519


def test_the_repeat_row_is_the_mean_over_windows_with_and_without_the_last_batch(
    tmp_path: Path, values: np.ndarray
) -> None:
    task = load_task(write(tmp_path / "plain.txt.gz", values[:600], dated=False), "shares")
    y = task.panel.target
    # 120 test rows: 480 to 599.
    errors = [y[:, o + 1 : o + 25] - y[:, o : o + 1] for o in range(479, 599 - 23)]
    squared = np.array([(e**2).mean() for e in errors])
    found = repeat_score(task, 24)
    assert found.windows == len(errors) == 97
    assert found.mse == pytest.approx(squared.mean(), rel=1e-12)
    assert found.dropped_mse == pytest.approx(squared[:96].mean(), rel=1e-12)
    assert found.mae == pytest.approx(np.mean([np.abs(e).mean() for e in errors]), rel=1e-12)
    assert repeat_score(task, 110).dropped_mse is None


def test_what_cannot_be_benchmarked_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    path = write(tmp_path / "plain.txt", values[:600], dated=False)
    with pytest.raises(NeuralError, match="no split 'thirds'"):
        load_task(path, "thirds")
    with pytest.raises(NeuralError, match="600 rows are fewer"):
        load_task(path, "ett-hour")
    with pytest.raises(NeuralError, match="cannot be read"):
        load_task(tmp_path / "absent.csv", "shares")
    with pytest.raises(NeuralError, match="horizon=121"):
        repeat_score(load_task(path, "shares"), 121)
    flat = values[:600].copy()
    flat[:, 1] = 3.0
    with pytest.raises(NeuralError, match="'series 2' is constant"):
        load_task(write(tmp_path / "flat.txt", flat, dated=False), "shares")
    words = tmp_path / "words.txt"
    words.write_text("a,b\nc,d\n")
    with pytest.raises(NeuralError, match="no table of numbers"):
        load_task(words, "shares")
    task = load_task(path, "shares")
    with pytest.raises(NeuralError, match="not finite"):
        score_task(task, 24, lambda origins: np.full((2, len(origins), 24), np.nan))
