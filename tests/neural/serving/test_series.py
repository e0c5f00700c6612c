import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.model import ServedModel
from nt_ray.neural.serving.series import from_arrow, from_json_text, to_arrow, to_json_text
from nt_ray.neural.training.trained import Trained

Make = Callable[..., Trained]


def text(**more: object) -> bytes:
    return json.dumps({"model": "m", **more}).encode()


def test_series_of_any_length_are_forecast_from_their_newest_rows(make: Make, waves: SeriesPanel) -> None:
    trained = make(head="quantile")
    model = ServedModel(trained, "m", 4)
    truth = Predictor(trained).forecast(waves, [0.2, 0.8])
    target = [row[-length:].tolist() for row, length in zip(waves.target, (12, 50, 120), strict=True)]
    asked = from_json_text(text(target=target, levels=[0.2, 0.8], frequency="1h", names=["x", "y", "z"]))
    told = json.loads(to_json_text(asked, model, model.forecast(asked.windows(model), asked.levels)))
    assert (told["model"], told["version"], told["names"], told["levels"]) == ("m", "4", ["x", "y", "z"], [0.2, 0.8])
    np.testing.assert_allclose(told["mean"], truth.mean, rtol=1e-4)
    np.testing.assert_allclose(told["quantiles"], truth.quantiles, rtol=1e-4)


@pytest.mark.parametrize("writer", ["write_ipc", "write_ipc_stream"])
def test_tables_are_read_and_written(make: Make, waves: SeriesPanel, writer: str) -> None:
    trained = make(head="quantile")
    model = ServedModel(trained, "m", 4)
    room = io.BytesIO()
    getattr(pl.DataFrame({"name": waves.names, "target": waves.target.tolist()}), writer)(room)
    asked = from_arrow(room.getvalue(), {"model": "m", "levels": "0.2,0.8"})
    answer = model.forecast(asked.windows(model), asked.levels)
    table = pl.read_ipc_stream(io.BytesIO(to_arrow(asked, answer)))
    assert table.columns == ["name", "mean", "q0.2", "q0.8"]
    np.testing.assert_array_equal(np.stack(table["mean"].to_list()), answer.mean)
    np.testing.assert_array_equal(np.stack(table["q0.8"].to_list()), answer.quantiles[..., 1])


def test_inputs_beside_the_target_are_cut_alike(make: Make, rich: SeriesPanel) -> None:
    trained = make(rich, model="gru", parameters={"hidden": 8.0, "layers": 1.0})
    model = ServedModel(trained)
    known = rich.future[:, :124]
    given = {kind: getattr(rich, kind).tolist() for kind in ("target", "past", "static")} | {"future": known.tolist()}
    asked = from_json_text(text(**given))
    truth = Predictor(trained).windows(rich, np.array([119]))[0][:, 0]
    np.testing.assert_allclose(model.forecast(asked.windows(model)).mean, truth, rtol=1e-4)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_null_is_a_missing_value(make: Make, waves: SeriesPanel, missing: float | None) -> None:
    target = waves.target.copy()
    target[:, 6::9] = np.nan
    panel = replace(waves, target=target)
    trained = make(panel, scaling="last")
    model = ServedModel(trained)
    told = [[missing if np.isnan(value) else value for value in row] for row in target.tolist()]
    asked = from_json_text(text(target=told))
    np.testing.assert_allclose(model.forecast(asked.windows(model)).mean, Predictor(trained).forecast(panel).mean)
    table = pl.DataFrame({"target": told}, schema={"target": pl.List(pl.Float64)})
    room = io.BytesIO()
    table.write_ipc(room)
    again = from_arrow(room.getvalue(), {"model": "m"})
    np.testing.assert_array_equal(model.forecast(again.windows(model)).mean, model.forecast(asked.windows(model)).mean)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"nonsense", "malformed_request"),
        (b"[1]", "malformed_request"),
        (b'{"target": [[1]]}', "malformed_request"),
        (text(), "wrong_inputs"),
        (text(target=[]), "wrong_shape"),
        (text(target=3), "malformed_request"),
        (text(target=[3]), "wrong_shape"),
        (text(target=[["a"] * 12]), "malformed_request"),
        (text(target=[["a", None] * 6]), "malformed_request"),
        (text(target=[[True, None] * 6]), "malformed_request"),
        (text(target=[[[1.0]] * 12]), "wrong_shape"),
        (text(target=[[1.0, [2.0]] * 6]), "wrong_shape"),
        (text(target=[[1.0, 2.0]]), "short_series"),
        (text(target=[[1.0, None] * 6]), "missing_value"),
        (text(target=[[1.0, float("nan")] * 6]), "missing_value"),
        (text(target=[[1.0, 2.0] * 6], frequency="1d"), "wrong_frequency"),
        (text(target=[[1.0, 2.0] * 6], levels=[2]), "wrong_levels"),
        (text(target=[[1.0, 2.0] * 6], names=["a", "b"]), "wrong_shape"),
        (text(target=[[1.0, 2.0] * 6], past=[[[1.0]] * 12]), "wrong_inputs"),
        (text(target=[[1.0, 2.0] * 6], targets=[]), "malformed_request"),
        (text(target=[[1.0, 2.0] * 6], levels=0.5), "malformed_request"),
        (text(target=[[10**400, 1.5] * 6]), "missing_value"),
        (text(target=[[10**400] * 12]), "missing_value"),
        (text(target=[[10**400, None] * 6]), "missing_value"),
        (text(target=[[1.0, 2.0] * 6], levels=[10**400]), "wrong_levels"),
        (text(target=[[1.0, 2.0] * 6], levels=[1e-50]), "wrong_levels"),
        (text(target=[[1.0, 2.0] * 6], levels=[0.99999999]), "wrong_levels"),
        (text(target=[[1.0, 2.0] * 6], levels=[i / 200 for i in range(1, 102)]), "wrong_levels"),
    ],
)
def test_questions_that_make_no_sense_are_refused_with_a_code(make: Make, body: bytes, code: str) -> None:
    model = ServedModel(make())
    with pytest.raises(NeuralError) as caught:
        from_json_text(body).windows(model)
    assert caught.value.code == code
    assert 400 <= caught.value.status < 500


@pytest.mark.parametrize("body", [b"", b"nonsense", b"ARROW1 nonsense"])
def test_tables_that_are_none_are_refused(body: bytes) -> None:
    with pytest.raises(NeuralError) as caught:
        from_arrow(body, {"model": "m"})
    assert caught.value.code == "malformed_request"


def test_a_table_without_a_target_or_a_model_is_refused() -> None:
    for frame, parameters, said in (
        ({"values": [[1.0]]}, {"model": "m"}, "no column target"),
        ({"target": [1.0]}, {"model": "m"}, "of lists"),
        ({"target": [[1.0]]}, {}, "names no model"),
    ):
        room = io.BytesIO()
        pl.DataFrame(frame).write_ipc_stream(room)
        with pytest.raises(NeuralError, match=said):
            from_arrow(room.getvalue(), parameters)


def test_names_that_are_no_texts_are_refused() -> None:
    room = io.BytesIO()
    pl.DataFrame({"target": [[1.0]], "name": [["a"]]}).write_ipc_stream(room)
    with pytest.raises(NeuralError, match="name holds no texts"):
        from_arrow(room.getvalue(), {"model": "m"})


def test_each_level_has_its_column_however_near_they_are(make: Make, waves: SeriesPanel) -> None:
    model = ServedModel(make(head="quantile"), "m", 4)
    levels = [0.1, 0.1000001, 0.5]
    asked = from_json_text(text(target=waves.target.tolist(), levels=levels))
    table = pl.read_ipc_stream(io.BytesIO(to_arrow(asked, model.forecast(asked.windows(model), asked.levels))))
    assert table.columns == ["mean", "q0.1", "q0.1000001", "q0.5"]
