import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.cli import main
from nt_ray.neural.drift.drift_reference import reference_in
from nt_ray.neural.inference.bundle import load_bundle
from nt_ray.neural.serving.reference import load_reference
from nt_ray.neural.training.training_log import read_log

SMALL = (
    "--symbols", "KO,PEP", "--start", "2020-01-01", "--lookback", "12", "--horizon", "3", "--steps", "60",
    "--set", "neural.training.validate_every=20",
)  # fmt: skip

Answer = Callable[..., dict[str, Any]]


def test_a_training_leaves_a_model_a_page_and_a_summary_and_the_same_again_is_not_trained(answer: Answer) -> None:
    first = answer("train", "DLinear", *SMALL, "--param", "kernel=5", "--register", "drinks")
    assert (first["model"], first["steps"], first["series"]) == ("dlinear", 60, ["KO", "PEP"])
    assert first["trained_by"] == "plain loop in this process"
    assert first["registered"] == "drinks/1"
    assert first["recipe"]["parameters"] == {"kernel": 5.0}
    trained = load_bundle(Path(first["bundle"]))
    assert trained.signature.horizon == 3
    described = json.loads((Path(first["bundle"]) / "model.json").read_text())
    assert set(reference_in(described, "here").inputs) == {"KO", "PEP"}
    assert described["lineage"]["config"]["target"] == "close"
    assert described["lineage"]["config"]["trained_until"] == f"{first['end']}+00:00"
    proof = load_reference(Path(first["bundle"]), trained)
    assert proof is not None
    assert len(proof.windows) > 0
    page = Path(first["page"]).read_text()
    assert "Training of dlinear" in page
    assert "validation" in page
    assert json.loads((Path(first["folder"]) / "summary.json").read_text())["metrics"] == first["metrics"]

    again = answer("train", "dlinear", *SMALL, "--param", "kernel=5")
    assert again["folder"] == first["folder"]
    starts = [row["step"] for row in read_log(Path(first["folder"])) if row["event"] == "start"]
    assert starts == [0, 60]
    anew = answer("train", "dlinear", *SMALL, "--param", "kernel=5", "--no-resume")
    assert anew["metrics"] == first["metrics"]
    assert [row["step"] for row in read_log(Path(anew["folder"])) if row["event"] == "start"] == [0]
    other = answer("train", "dlinear", *SMALL, "--target", "returns")
    assert other["folder"] != first["folder"]


def test_people_are_told_where_things_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "rlinear", *SMALL, "--no-progress"]) == 0
    printed = capsys.readouterr().out
    assert "rlinear: 60 steps" in printed
    assert "training.html" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("dlinaer",), "neural", ["did you mean 'dlinear'"]),
        (("dlinear", "--param", "kernal=3"), "neural", ["kernal", "kernel"]),
        (("dlinear", "--lookback", "5000"), "neural", ["5000", "shorter look-back"]),
        (("dlinear", "--register", "No Name"), "model_reference", ["No Name"]),
        (("dlinear", "--workers", "two"), "config", ["neural.training.workers"]),
        (("dlinear", "--target", "volume"), "config", ["neural.training.target"]),
        (("dlinear", "--set", "neural.training.gpu=true"), "neural", ["GPU"]),
        (("dlinear", "--set", "neural.training.patience=2", "--set", "neural.training.validation=0"), "neural",
         ["patience needs validation"]),
        (("dlinear", "--set", "neural.training.lr=1e30", "--set", "neural.training.clip=0"), "neural", ["Lower lr"]),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_with_its_remedy(
    answer: Answer, arguments: tuple[str, ...], code: str, words: list[str]
) -> None:
    error = answer("train", *SMALL, *arguments, code=2)["error"]
    assert error["code"] == code
    for word in words:
        assert word in error["message"]


def test_checkpoints_come_after_the_steps_that_are_set(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    from nt_ray.neural.training import durable

    made: list[int] = []
    kept = durable.keep
    monkeypatch.setattr(durable, "keep", lambda run, folder: made.append(run.step) or kept(run, folder))
    paces = ("--set", "neural.training.checkpoint_s=0", "--set", "neural.training.checkpoint_steps=100")
    answer("train", "dlinear", *SMALL, "--steps", "250", *paces)
    assert made == [100, 200, 250]


# Ray Train loads the defaults of Ray Data, some of which it announces to end; nothing here sets them.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.*")
@pytest.mark.usefixtures("ray_cluster")
def test_series_in_shards_are_trained_by_workers_and_shards_without_workers_are_refused(answer: Answer) -> None:
    shards = (*SMALL, "--shards", "2")
    error = answer("train", "dlinear", *shards, code=2)["error"]
    assert "2 shards are trained by workers" in error["message"]
    found = answer("train", "dlinear", *shards, "--workers", "1")
    assert found["trained_by"] == "Lightning in workers of Ray Train, each with its own shards of the series"
    assert sorted(found["series"]) == ["KO", "PEP"]
    assert load_bundle(Path(found["bundle"])).step == 60
    whole = answer("train", "dlinear", *SMALL)
    for name, loss in whole["metrics"].items():
        # The order of the series, and with it that of the windows, is another.
        assert found["metrics"][name] == pytest.approx(loss, rel=0.2)
