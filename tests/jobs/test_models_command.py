import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.s3_server import REGION, new_bucket, s3_server
from jobs.cli import main
from nt_ray.neural.drift.drift_reference import reference_of
from nt_ray.neural.inference.bundle import save_bundle
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train

Answer = Callable[..., Any]
EVIDENCE = {
    "metric": "mse",
    "version": 1,
    "score": 0.8,
    "naive": 1.0,
    "windows": 100,
    "start": "2022-01-01T00:00:00Z",
    "end": "2022-06-30T00:00:00Z",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    times = np.arange("2021-01-01", "2021-05-01", dtype="datetime64[D]").astype("datetime64[us]")
    panel = SeriesPanel(("a",), times, rng.normal(size=(1, times.size)).cumsum(axis=1), frequency="1d")
    recipe = Recipe(model="dlinear", lookback=16, horizon=4, steps=2, batch=8)
    folder = tmp_path_factory.mktemp("trained") / "bundle"
    reference = reference_of({"close": rng.normal(size=500)}, rng.normal(size=300))
    save_bundle(
        train(panel, recipe),
        folder,
        config={"trained_until": "2021-04-30T00:00:00+00:00"},
        reference=reference.model_dump(mode="json"),
    )
    return folder


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, code: int = 0) -> Any:
        assert main(["models", *arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return call


def evidence(**given: Any) -> str:
    Path("evidence.json").write_text(json.dumps(EVIDENCE | given), encoding="utf-8")
    return "evidence.json"


def test_a_model_goes_from_its_folder_to_champion_and_back(answer: Answer, trained: Path) -> None:
    assert answer("list")["models"] == []
    assert answer("register", str(trained), "linear", "--tag", "team=rates") == {"name": "linear", "version": 1}
    assert answer("register", str(trained), "linear")["version"] == 2
    assert answer("promote", "linear/1", "--evidence", evidence())["changed"] is True
    answer("promote", "linear/2", "--alias", "challenger", "--reason", "newer")
    told = evidence(version=2, score=0.7, champion_version=1, champion=0.8)
    assert answer("promote", "linear@challenger", "--evidence", told)["version"] == 2
    assert answer("list")["models"] == [
        {"name": "linear", "versions": [1, 2], "aliases": {"challenger": 2, "champion": 2}}
    ]
    assert answer("rollback", "linear", "--reason", "worse")["version"] == 1
    version = answer("show", "linear@champion")
    assert (version["version"], version["tags"], version["aliases"]) == (1, {"team": "rates"}, ["champion"])
    assert "reference" not in version["lineage"]
    history = answer("show", "linear")["history"]
    assert [event["action"] for event in history] == ["rollback", "promote", "promote", "promote"]
    answer("promote", "linear/1", "--alias", "challenger")
    assert answer("delete", "linear/2") == {"name": "linear", "deleted": 2}
    assert answer("list")["models"][0]["versions"] == [1]


def test_the_networks_are_listed_with_their_parameters(answer: Answer) -> None:
    kinds = {kind["name"]: kind["parameters"] for kind in answer("kinds")["kinds"]}
    assert kinds.keys() >= {"lstm", "dlinear"}
    assert kinds["lstm"]["dropout"] == 0.2


def test_people_are_answered_in_words(answer: Answer, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "holds no models yet" in capsys.readouterr().out
    for arguments, said in (
        (["register", str(trained), "linear"], "Registered linear/1."),
        (["promote", "linear/1", "--evidence", evidence()], "linear@champion is now version 1."),
        (["promote", "linear/1", "--evidence", evidence()], "linear@champion is already version 1."),
        (["list"], "linear                                 1     1  champion=1"),
        (["show", "linear"], "promote champion 1  mse 0.8, repeat 1"),
        (["show", "linear/1"], "weights.safetensors"),
    ):
        assert main(["models", *arguments]) == 0
        assert said in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "promote" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "liner"], "unknown_model", ["Did you mean linear?"]),
        (["show", "linear@champion"], "unknown_alias", ["no alias champion"]),
        (["show", "linear/9"], "unknown_version", ["Its versions: 1"]),
        (["promote", "linear/1"], "promotion_refused", ["there is no evidence"]),
        (["promote", "linear/1", "--evidence", "none.json"], "bad_input", ["none.json cannot be read"]),
        (["promote", "linear/1", "--evidence", "broken.json"], "neural", ["score", "Give a JSON object of metric"]),
        (["promote", "linear"], "model_reference", ["Write linear@champion or linear/3"]),
        (["rollback", "linear"], "unknown_alias", ["promote a version to it"]),
        (["register", "nowhere", "linear"], "neural", ["nowhere"]),
        (["register", "nowhere", "linear", "--tag", "x"], "bad_input", ["--tag author=ann"]),
        (["drift", "linear/1", "recent.csv", "--ask"], "bad_input", ["lstm@champion"]),
        (["drift", "linear/1", "recent.csv"], "bad_input", ["no column close. Is it Close?"]),
        (["drift", "linear/1", "none.csv"], "market_data", ["no file none.csv"]),
        (["drift", "linear/1", "recent.csv", "--covered", "x"], "bad_input", ["--covered 0.9=COLUMN"]),
        (["list", "--set", "neural.registry=ftp://x"], "object_address", ["s3://BUCKET/PREFIX"]),
        (["list", "--set", "neural.registery=x"], "config", ["neural.registry"]),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_code(
    answer: Answer, trained: Path, arguments: list[str], code: str, words: list[str]
) -> None:
    answer("register", str(trained), "linear")
    Path("broken.json").write_text(json.dumps(EVIDENCE | {"score": "good"}))
    Path("recent.csv").write_text("Close\n1\n")
    error = answer(*arguments, code=2)["error"]
    assert error["code"] == code
    for word in words:
        assert word in error["message"]


def test_drift_is_found_by_its_table_and_asked_for_once(
    answer: Answer, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("register", str(trained), "linear")
    answer("promote", "linear/1", "--evidence", evidence())
    rng = np.random.default_rng(1)
    calm = pl.DataFrame({"close": rng.normal(size=200), "error": rng.normal(size=200), "inside": rng.random(200) < 0.9})
    calm.write_parquet("calm.parquet")
    options = ("--errors", "error", "--covered", "0.9=inside")
    found = answer("drift", "linear@champion", "calm.parquet", *options)
    assert (found["retrain"], found["reasons"], found["plan"]) == (False, [], None)
    assert found["errors"]["rows"] == 200
    worse = calm.with_columns(pl.col("close") + 3, pl.col("error") * 4, inside=pl.lit(0))
    worse.write_csv("worse.csv")
    found = answer("drift", "linear@champion", "worse.csv", *options, "--ask", code=1)
    assert len(found["reasons"]) == 3
    assert found["plan"]["warm_start"] == "linear/1"
    assert answer("drift", "linear@champion", "worse.csv", "--ask", code=1)["plan"] is None
    assert main(["models", "drift", "linear@champion", "worse.csv", *options]) == 1
    printed = capsys.readouterr().out
    assert "close" in printed
    assert "linear@champion should be trained anew: input close drifted" in printed


def test_a_registry_may_lie_in_s3(answer: Answer, trained: Path) -> None:
    with s3_server() as endpoint:
        place = (
            *("--set", f"neural.registry=s3://{new_bucket(endpoint)}/models"),
            *("--set", f"neural.s3.endpoint={endpoint}", "--set", f"neural.s3.region={REGION}"),
        )
        assert answer("register", str(trained), "linear", *place)["version"] == 1
        assert answer("list", *place)["models"][0]["versions"] == [1]
    assert not [path for path in os.listdir() if path != "models"]  # noqa: PTH208
