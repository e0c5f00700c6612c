"""Tensors of the Open Inference Protocol, version 2: JSON, and its extension for binary data after the JSON.

Source: KServe, Open Inference Protocol V2 (REST), and the Binary Tensor Data Extension. Binary data are little-endian
and row-major; BYTES elements each follow their length as a 32-bit number. A null among numbers with a point is a
missing value, NaN, for which the protocol's JSON has no word of its own.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json, to_json

from nt_ray.neural.serving.problems import (
    MalformedRequestError,
    MissingValueError,
    TooLargeError,
    WrongDatatypeError,
    WrongShapeError,
)
from nt_ray.neural.serving.windows import with_gaps

NUMBERS: Final[Mapping[str, str]] = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
TEXT: Final = "BYTES"
LARGEST: Final = 1 << 27
"""Elements of one tensor."""
DIMENSIONS: Final = 8
"""Most dimensions of a tensor."""
DIGITS: Final = 12
"""Most digits of a length."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor and the datatype it came as."""

    name: str
    datatype: str
    values: Array


@dataclass(frozen=True, slots=True)
class Question:
    """A request for inference: its id, inputs by name, parameters, and wanted outputs with whether each is binary."""

    id: str
    inputs: Mapping[str, Tensor]
    parameters: Mapping[str, Any]
    outputs: Mapping[str, bool]
    binary: bool
    """Whether outputs that say nothing of it are binary."""

    def is_binary(self, name: str) -> bool:
        """Whether an output travels as binary data."""
        return self.outputs.get(name, self.binary)


def decode(body: bytes, header_length: str | None = None) -> Question:
    """Read a request; `header_length` is the header that says where its JSON ends and its binary data begin."""
    length = _length(header_length, len(body))
    try:
        head = from_json(body[:length])
    except ValueError as error:
        raise MalformedRequestError(f"The request is no JSON: {error}. Send one JSON object.") from error
    if not isinstance(head, dict) or not isinstance(head.get("inputs"), list) or not head["inputs"]:
        raise MalformedRequestError("The request has no inputs. Send an object with a list of tensors under inputs.")
    parameters = _object(head, "parameters")
    binary = bool(parameters.get("binary_data_output", False))
    outputs = {}
    for output in _list(head, "outputs"):
        name = _named(output, "output")
        outputs[name] = bool(_object(output, "parameters").get("binary_data", binary))
    rest = _Rest(memoryview(body)[length:])
    inputs = {tensor.name: tensor for tensor in (_tensor(described, rest) for described in head["inputs"])}
    if len(inputs) < len(head["inputs"]):
        raise MalformedRequestError("Two inputs have the same name. Send each once.")
    rest.finish()
    return Question(str(head.get("id", "")), inputs, parameters, outputs, binary)


def encode(model: str, version: str, question: Question, outputs: Mapping[str, Array]) -> tuple[bytes, int | None]:
    """Write an answer, and the length of its JSON where binary data follow it."""
    described, data = [], []
    for name, values in outputs.items():
        little = np.ascontiguousarray(values, dtype=NUMBERS[datatype_of(values)])
        tensor: dict[str, Any] = {"name": name, "datatype": datatype_of(values), "shape": list(values.shape)}
        if question.is_binary(name):
            data.append(little.tobytes())
            tensor["parameters"] = {"binary_data_size": len(data[-1])}
        else:
            tensor["data"] = little.reshape(-1).tolist()
        described.append(tensor)
    answer: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": described}
    if question.id:
        answer["id"] = question.id
    head = to_json(answer)
    return (b"".join([head, *data]), len(head)) if data else (head, None)


def datatype_of(values: Array) -> str:
    """Datatype of an array."""
    kind = np.dtype(values.dtype).newbyteorder("<")
    for name, code in NUMBERS.items():
        if np.dtype(code) == kind:
            return name
    raise WrongDatatypeError(f"An array of {values.dtype} has no datatype in the protocol. Use float32.")


class _Rest:
    """Binary data that were not read yet."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    def take(self, size: int) -> memoryview:
        """Next bytes."""
        if size > len(self._data):
            raise MalformedRequestError(
                f"A tensor has {size} bytes of binary data, and {len(self._data)} are left. Send them all."
            )
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def finish(self) -> None:
        """Refuse what nobody asked for."""
        if len(self._data):
            raise MalformedRequestError(
                f"{len(self._data)} bytes follow the last tensor. State the size of each as binary_data_size."
            )


def _length(text: str | None, size: int) -> int:
    if text is None:
        return size
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS or int(text) > size:
        raise MalformedRequestError(
            f"Inference-Header-Content-Length is {text[:40]!r} for a body of {size} bytes. State the JSON's length."
        )
    return int(text)


def _tensor(described: Any, rest: _Rest) -> Tensor:
    name = _named(described, "input")
    datatype, shape = described.get("datatype"), described.get("shape")
    if not isinstance(datatype, str) or datatype not in (*NUMBERS, TEXT):
        raise WrongDatatypeError(
            f"Input {name} has the datatype {str(datatype)[:40]!r}. There are: {', '.join(NUMBERS)}, {TEXT}."
        )
    whole = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if not whole or len(shape) > DIMENSIONS:
        raise WrongShapeError(
            f"Input {name} has the shape {str(shape)[:80]}. Give a list of at most {DIMENSIONS} whole numbers."
        )
    count = math.prod(shape)
    if count > LARGEST:
        raise TooLargeError(
            f"Input {name} has the elements of {str(shape)[:80]}, and at most {LARGEST} are taken. Send fewer at once."
        )
    size = _object(described, "parameters").get("binary_data_size")
    if size is None:
        values = _from_json(name, datatype, described.get("data"))
    elif type(size) is not int or size < 0:
        raise MalformedRequestError(f"Input {name} has binary_data_size {size!r}. State its bytes.")
    else:
        values = _from_bytes(name, datatype, rest.take(size))
    if values.size != count:
        raise WrongShapeError(f"Input {name} has {values.size} elements for the shape {shape}. Send {count}.")
    return Tensor(name, datatype, values.reshape(shape))


def _from_json(name: str, datatype: str, data: Any) -> Array:
    if not isinstance(data, list):
        raise MalformedRequestError(f"Input {name} has no data. Send a list, or binary data with their size.")
    if datatype == TEXT:
        return np.array([str(text) for text in _leaves(data)], dtype=object)
    try:
        raw = np.asarray(data)
        if raw.dtype == object and datatype.startswith("FP"):
            raw = with_gaps(raw)
        if raw.dtype.kind not in "biuf":
            # A null among whole numbers stays an object, and a text stays one.
            raise WrongDatatypeError(f"Input {name} holds something that is no {datatype}. Send numbers alone.")
        with np.errstate(over="ignore"):
            return raw.reshape(-1).astype(NUMBERS[datatype])
    except ValueError as error:
        raise WrongShapeError(f"Input {name} has rows of different lengths. Send a list of equal ones.") from error
    except OverflowError as error:
        raise MissingValueError(f"Input {name} holds a number beyond {datatype}. Give it in a larger unit.") from error


def _from_bytes(name: str, datatype: str, data: memoryview) -> Array:
    if datatype == TEXT:
        return np.array(list(_texts(name, data)), dtype=object)
    kind = np.dtype(NUMBERS[datatype])
    if len(data) % kind.itemsize:
        raise WrongShapeError(
            f"Input {name} has {len(data)} bytes, no multiple of {kind.itemsize}. Send whole elements."
        )
    return np.frombuffer(data, dtype=kind)


def _texts(name: str, data: memoryview) -> Iterator[str]:
    while len(data):
        size = struct.unpack_from("<I", data)[0] if len(data) >= 4 else len(data)
        if size > len(data) - 4:
            raise MalformedRequestError(f"Input {name} ends within a text. Send the length before each.")
        try:
            yield bytes(data[4 : 4 + size]).decode()
        except UnicodeDecodeError as error:
            raise MalformedRequestError(f"Input {name} holds text that is no UTF-8. Encode it so.") from error
        data = data[4 + size :]


def _leaves(data: list[Any]) -> Iterator[Any]:
    for item in data:
        if isinstance(item, list):
            yield from _leaves(item)
        else:
            yield item


def _named(described: Any, kind: str) -> str:
    if not isinstance(described, dict) or not isinstance(described.get("name"), str) or not described["name"]:
        raise MalformedRequestError(f"An {kind} has no name. Describe each as an object with one.")
    name: str = described["name"]
    return name


def _list(described: Mapping[str, Any], key: str) -> list[Any]:
    found = described.get(key) or []
    if not isinstance(found, list):
        raise MalformedRequestError(f"{key} are {str(found)[:80]!r}. Give a list.")
    return found


def _object(described: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = described.get(key) or {}
    if not isinstance(found, dict):
        raise MalformedRequestError(f"{key} are {str(found)[:80]!r}. Give an object.")
    return found
