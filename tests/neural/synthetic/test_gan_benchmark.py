import json
import sys
from pathlib import Path

import pytest

from benchmarks import gan
from nt_ray.neural.synthetic.settings import GanSettings


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, small: GanSettings) -> None:
    monkeypatch.setattr(gan, "GanSettings", lambda: small.model_copy(update={"steps": 3}))
    monkeypatch.setattr(gan, "LENGTH", 400)
    monkeypatch.setattr(gan, "PATIENCE", {})


def ran(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["gan", "--paths", "3", "--seeds", "2", *arguments])
    gan.main()
    return capsys.readouterr().out


@pytest.mark.usefixtures("tiny")
def test_the_benchmark_compares_all_sources_with_both_histories(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    result = json.loads(ran(monkeypatch, capsys, "--json", "--ablation", "--page", str(page)))
    assert list(result["distances"]) == list(gan.HISTORIES)
    for name, rows in result["distances"].items():
        rivals = ["GARCH(1,1)", "stationary bootstrap", "independent draws"]
        assert list(rows) == [gan.NETWORK, *gan.ABLATIONS, *rivals]
        for verdict, true in result["verdicts"][name].items():
            key, rival = verdict.split(" nearer than ")
            assert true == (rows[gan.NETWORK][key][0] < rows[rival][key][0])
        assert all(spread > 0 for row in rows.values() for _, spread in [row["leverage"]])
    assert (result["steps"], len(result["cpu_seconds"])) == (3, 2)
    assert "independent draws" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("tiny")
def test_the_table_says_yes_or_no(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = ran(monkeypatch, capsys, "--minutes", "0.0001")
    assert shown.count("leverage nearer than GARCH(1,1): ") == 2
    assert "stationary bootstrap" in shown
