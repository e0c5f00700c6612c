import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import inference, inference_cost
from nt_ray.neural.serving import tensors


def test_the_benchmark_asks_for_the_windows_that_it_counts() -> None:
    body, headers = inference_cost.question(3, 12)
    asked = tensors.decode(body, headers["Inference-Header-Content-Length"])
    np.testing.assert_array_equal(asked.inputs["target"].values, inference_cost.rows(3, 12))
    assert asked.is_binary("mean")


def test_ways_take_turns_and_the_first_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference_cost, "ROOM", 2)
    order: list[str] = []
    ways = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    found = inference_cost.in_turns(ways, 3, lambda: float(len(order)))
    assert "".join(order) == "ababababab"
    assert found == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_processor_time_of_a_process_is_that_of_its_threads() -> None:
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel does not tell the time of threads")
    # A process of its own: threads of others end here at any time, and take what they used with them.
    work = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        busy = inference_cost.seconds_of(process.pid)
        process.communicate(b"\n")
    assert busy >= 0.15
    assert inference_cost.seconds_of(process.pid) == 0.0


def test_a_figure_on_the_wrong_side_of_its_target_is_said_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    for found, least, said in (
        (5.0, True, "holds"),
        (4.9, True, "FAILS"),
        (5.0, False, "holds"),
        (5.1, False, "FAILS"),
    ):
        inference._told("rate", found, 5.0, least=least)
        assert capsys.readouterr().out.strip().startswith(said)
