import io
import random
from contextlib import suppress

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.serving.arrow_size import ArrowSize, arrow_size
from nt_ray.neural.serving.problems import MalformedRequestError, TooLargeError
from nt_ray.neural.serving.series import from_arrow

MODEL = {"model": "m"}
Written = dict[str, bytes]


def written(table: pa.Table, repeats: int = 1, **options: object) -> Written:
    """A table as a stream and as a file."""
    found = {}
    for name, writer in (("stream", pa.ipc.new_stream), ("file", pa.ipc.new_file)):
        room = io.BytesIO()
        with writer(room, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as sink:
            for _ in range(repeats):
                sink.write_table(table)
        found[name] = room.getvalue()
    return found


def polars_bytes(frame: pl.DataFrame, kind: str, packing: str) -> bytes:
    room = io.BytesIO()
    getattr(frame, kind)(room, compression=packing)
    return room.getvalue()


@pytest.mark.parametrize("packing", [None, "zstd", "lz4"])
def test_a_table_is_as_large_as_its_layout_says_however_it_is_packed(packing: str | None) -> None:
    rows, length = 7, 1000
    table = pa.table({"target": pa.array([np.arange(length) % 3.0] * rows)})
    # Of each batch its rows, those of the lists and of what is in them; ends of the lists in 32 bits, values in 64.
    wanted = ArrowSize(2 * (rows + rows + rows * length), 2 * (4 * (rows + 1) + 8 * rows * length))
    for body in written(table, 2, compression=packing).values():
        assert arrow_size(body) == wanted


@pytest.mark.parametrize("kind", ["write_ipc", "write_ipc_stream"])
@pytest.mark.parametrize("packing", ["uncompressed", "zstd", "lz4"])
def test_what_another_library_writes_is_added_up_and_read_alike(kind: str, packing: str) -> None:
    rows, length = 3, 500
    frame = pl.DataFrame({"target": [[1.5] * length] * rows})
    body = polars_bytes(frame, kind, packing)
    # Ends of the lists are in 64 bits here.
    assert arrow_size(body) == ArrowSize(rows + rows + rows * length, 8 * (rows + 1) + 8 * rows * length)
    assert list(from_arrow(body, MODEL).values["target"]) == frame["target"].to_list()


@pytest.mark.parametrize("kind", ["write_ipc", "write_ipc_stream"])
def test_a_small_body_that_unpacks_to_more_than_is_taken_is_refused_unread(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = polars_bytes(pl.DataFrame({"target": [np.zeros(2_000_000)]}), kind, "zstd")
    assert len(body) < 2_000
    assert len(from_arrow(body, MODEL, 20_000_000).values["target"][0]) == 2_000_000
    monkeypatch.setattr(pl, "read_ipc", None)
    monkeypatch.setattr(pl, "read_ipc_stream", None)
    with pytest.raises(TooLargeError, match="16000000 bytes and 2000002 values") as caught:
        from_arrow(body, MODEL, 16_000_000)
    assert caught.value.status == 413


def test_values_that_take_no_bytes_are_counted_all_the_same() -> None:
    nothing = pa.table({"target": pa.ListArray.from_arrays([0, 10_000_000], pa.nulls(10_000_000))})
    for body in written(nothing).values():
        assert len(body) < 1_000
        with pytest.raises(TooLargeError, match="10000002 values"):
            from_arrow(body, MODEL)


def test_many_rows_at_the_same_bytes_are_refused() -> None:
    rows = 10_000
    listed = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([[1.0] * 1_000]))
    for body in written(pa.table({"target": listed})).values():
        with pytest.raises(MalformedRequestError, match="plain columns"):
            from_arrow(body, MODEL)
    named = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 10_000]))
    table = pa.table({"target": pa.array([[1.0]] * rows), "name": named})
    for body in written(table).values():
        with pytest.raises(TooLargeError, match="names take more than 1000000 bytes"):
            from_arrow(body, MODEL, 1_000_000)
        assert len(from_arrow(body, MODEL, 200_000_000).names) == rows


def test_a_file_whose_end_is_missing_is_refused() -> None:
    body = written(pa.table({"target": [[1.0]]}))["file"]
    for cut in (body[:-1], body[:-10], body[:20], body[:6]):
        with pytest.raises(MalformedRequestError):
            from_arrow(cut, MODEL)


BODIES = [
    polars_bytes(
        pl.DataFrame({"name": ["a", "b"], "target": np.random.default_rng(0).normal(size=(2, 40)).tolist()}), *how
    )
    for how in (("write_ipc_stream", "zstd"), ("write_ipc", "lz4"), ("write_ipc_stream", "uncompressed"))
]


@given(st.sampled_from(range(len(BODIES))), st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_a_damaged_table_is_read_or_refused_and_nothing_else(which: int, seed: int) -> None:
    body, rng = bytearray(BODIES[which]), random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    with suppress(NeuralError):
        from_arrow(bytes(body), MODEL)


def test_a_reader_that_panics_is_told_as_a_damaged_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(_: object) -> None:
        raise pl.exceptions.PanicException("range end index 8 out of range")

    assert not issubclass(pl.exceptions.PanicException, Exception)
    monkeypatch.setattr(pl, "read_ipc_stream", panic)
    with pytest.raises(MalformedRequestError, match="range end index 8"):
        from_arrow(BODIES[0], MODEL)
