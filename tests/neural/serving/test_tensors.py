import json
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.utils import serialize_byte_tensor

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.serving.tensors import NUMBERS, datatype_of, decode, encode


def body(*inputs: dict[str, object], data: bytes = b"", **more: object) -> tuple[bytes, str | None]:
    head = json.dumps({"inputs": list(inputs), **more}).encode()
    return head + data, str(len(head)) if data else None


def tensor(name: str = "x", datatype: str = "FP32", shape: object = (2, 2), **more: object) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": shape, **more}


@given(st.sampled_from(sorted(NUMBERS)), st.lists(st.integers(0, 4), min_size=1, max_size=3), st.booleans())
def test_a_tensor_comes_back_as_it_went(datatype: str, shape: list[int], binary: bool) -> None:
    values = (np.arange(np.prod(shape)) % 2).astype(NUMBERS[datatype]).reshape(shape)
    assert datatype_of(values) == datatype
    if binary:
        sent = body(
            tensor(datatype=datatype, shape=shape, parameters={"binary_data_size": values.nbytes}),
            data=values.tobytes(),
        )
    else:
        sent = body(tensor(datatype=datatype, shape=shape, data=values.tolist()))
    question = decode(*sent)
    np.testing.assert_array_equal(question.inputs["x"].values, values)
    assert question.inputs["x"].values.dtype == values.dtype


def test_a_null_among_numbers_with_a_point_is_a_missing_value() -> None:
    (found,) = decode(*body(tensor(shape=[2, 2], data=[[1.5, None], [2, 3]]))).inputs.values()
    np.testing.assert_array_equal(found.values, np.float32([[1.5, np.nan], [2, 3]]))


def test_texts_are_read_as_the_client_writes_them() -> None:
    names = np.array(["a", "", "Zürich"], dtype=object)
    data = serialize_byte_tensor(names).item()
    described = tensor("s", "BYTES", [3], parameters={"binary_data_size": len(data)})
    assert decode(*body(described, data=data)).inputs["s"].values.tolist() == names.tolist()
    assert decode(*body(tensor("s", "BYTES", [2], data=["x", "y"]))).inputs["s"].values.tolist() == ["x", "y"]


def test_outputs_are_binary_where_it_is_asked_for() -> None:
    one = tensor(shape=[1], data=[1.0])
    outputs = [{"name": "mean", "parameters": {"binary_data": True}}, {"name": "quantiles"}]
    question = decode(*body(one, outputs=outputs, id="7"))
    answer, length = encode("m", "3", question, {"mean": np.float32([[1.5]]), "quantiles": np.float32([[[2.5]]])})
    assert length is not None
    head = json.loads(answer[:length])
    assert (head["model_name"], head["model_version"], head["id"]) == ("m", "3", "7")
    assert head["outputs"][0] == {
        "name": "mean",
        "datatype": "FP32",
        "shape": [1, 1],
        "parameters": {"binary_data_size": 4},
    }
    assert answer[length:] == struct.pack("<f", 1.5)
    assert head["outputs"][1]["data"] == [2.5]
    assert encode("m", "3", decode(*body(one)), {"mean": np.float32([[1.5]])})[1] is None
    assert encode("m", "3", decode(*body(one, parameters={"binary_data_output": True})), {"mean": np.float32([1])})[1]


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        ((b"{", None), "malformed_request", "no JSON"),
        ((b"[" * 100_000, None), "malformed_request", "no JSON"),
        ((b"[]", None), "malformed_request", "no inputs"),
        ((b'{"inputs": []}', None), "malformed_request", "no inputs"),
        ((b'{"inputs": [3]}', None), "malformed_request", "no name"),
        ((b"{}", "9"), "malformed_request", "'9' for a body of 2"),
        ((b"{}", "-1"), "malformed_request", "'-1'"),
        (body(tensor(data=[[1, 2], [3]])), "wrong_shape", "different lengths"),
        (body(tensor(data=[1, 2, 3])), "wrong_shape", "3 elements for the shape"),
        (body(tensor(shape=[-1], data=[1])), "wrong_shape", "whole numbers"),
        (body(tensor(shape=[2**40, 2**40], data=[1])), "too_large", "elements"),
        (body(tensor(datatype="FP99", data=[1])), "wrong_datatype", "FP99"),
        (body(tensor(data=["a", "b", "c", "d"])), "wrong_datatype", "no FP32"),
        (body(tensor(data=["1", None, 2, 3])), "wrong_datatype", "no FP32"),
        (body(tensor("x", "INT64", data=[1, None, 2, 3])), "wrong_datatype", "no INT64"),
        (body(tensor(data=7)), "malformed_request", "no data"),
        (body(tensor(parameters={"binary_data_size": 16}), data=b"12345678"), "malformed_request", "16 bytes"),
        (body(tensor(parameters={"binary_data_size": 16}), data=b"1" * 17), "malformed_request", "1 bytes follow"),
        (body(tensor(parameters={"binary_data_size": 7}), data=b"1" * 7), "wrong_shape", "multiple of 4"),
        (body(tensor(parameters={"binary_data_size": -7}), data=b"1" * 7), "malformed_request", "binary_data_size"),
        (
            body(tensor("s", "BYTES", [1], parameters={"binary_data_size": 3}), data=b"abc"),
            "malformed_request",
            "within",
        ),
        (body(tensor(data=[1, 2, 3, 4]), tensor(data=[1, 2, 3, 4])), "malformed_request", "same name"),
        (body(tensor(data=[10**400, 1.5, 1, 1])), "missing_value", "beyond FP32"),
        (body(tensor(datatype="FP64", data=[10**400] * 4)), "missing_value", "beyond FP64"),
        (body(tensor(datatype=["FP32"], data=[1])), "wrong_datatype", "has the datatype"),
        (body(tensor(shape=[1] * 100, data=[1])), "wrong_shape", "at most 8"),
        (body(tensor(shape=[10**400], data=[1])), "too_large", "elements"),
        (body(tensor(data=[1, 2, 3, 4]), outputs=5), "malformed_request", "Give a list"),
        ((b"{}", "1" * 5000), "malformed_request", "for a body of 2"),
        (body(tensor(datatype="F" * 10_000, data=[1])), "wrong_datatype", "has the datatype"),
        (body(tensor(data=[1, 2, 3, 4]), parameters="x" * 10_000), "malformed_request", "Give an object"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_code(sent: tuple[bytes, str | None], code: str, said: str) -> None:
    with pytest.raises(NeuralError, match=said) as caught:
        decode(*sent)
    assert caught.value.code == code
    assert 400 <= caught.value.status < 500
    # What was sent is not handed back at length.
    assert len(str(caught.value)) < 500


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.sampled_from([0, -1, 2, 2**63, 2**64, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "binary_data"]), inner),
    max_leaves=6,
)


@given(st.sampled_from(["id", "name", "datatype", "shape", "data", "parameters", "outputs", "inputs"]), ODD)
@settings(max_examples=200)
def test_odd_values_anywhere_are_read_or_refused_and_nothing_else(key: str, odd: object) -> None:
    one = tensor(data=[1, 2, 3, 4])
    sent = {"inputs": [one | {key: odd}]} if key in one or key == "parameters" else {"inputs": [one]} | {key: odd}
    with suppress(NeuralError):
        decode(json.dumps(sent).encode())
