import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from nt_ray.strategies import loader
from nt_ray.strategies.base import STEP_SIGNATURE, Strategy
from nt_ray.strategies.loader import LoadError, load
from nt_ray.strategies.registry import find

HEAD = """
from numba import float64, int64, njit
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy

def state_size(params):
    return 1
"""
STEP = """
def step(state, bar, params, targets):
    state[0] += 1.0
    targets[0] = params[0]
    return 1.0
"""
MAKE = """
MyStrategy = Strategy("mine", "Holds.", "none", (Parameter("size", 0.5, 0.0, 1.0, "Size."),), 1, state_size, step)
"""


def write(folder: Path, *parts: str, name: str = "my_strategy.py") -> Path:
    path = folder / name
    path.write_text("".join(parts), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(strategy: Strategy) -> tuple[float, float]:
    state, targets = np.zeros(1), np.zeros(1)
    bar = np.ones((1, 5))
    return strategy.step(state, bar, strategy.vector({"size": 0.25}), targets), float(targets[0])


def test_a_file_works_wherever_a_name_does_and_is_found_again_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, HEAD, STEP, MAKE)
    strategy = find("my_strategy.py:MyStrategy")
    assert run(strategy) == (1.0, 0.25)
    assert find(strategy.name).step is strategy.step
    assert find(f"{tmp_path}/my_strategy.py:MyStrategy").vector().tolist() == [0.5]


def test_a_compiled_step_and_one_to_be_compiled_are_taken_as_well(tmp_path: Path) -> None:
    write(tmp_path, HEAD, STEP.replace("def", "@njit(STEP_SIGNATURE)\ndef"), MAKE, name="a.py")
    write(tmp_path, HEAD, STEP.replace("def", "@njit\ndef"), MAKE.replace("MyStrategy", "STRATEGY"), name="b.py")
    assert run(load("a.py:MyStrategy")) == run(load("b.py")) == (1.0, 0.25)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, HEAD, STEP, MAKE)
    assert run(load("my_strategy.py:MyStrategy")) == (1.0, 0.25)
    write(tmp_path, HEAD, STEP.replace("params[0]", "-params[0]"), MAKE)
    assert run(load("my_strategy.py:MyStrategy")) == (1.0, -0.25)


def test_files_of_one_name_in_two_folders_do_not_mix(tmp_path: Path) -> None:
    for folder, sign in (("x", ""), ("y", "-")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, HEAD, STEP.replace("params[0]", f"{sign}params[0]"), MAKE)
    assert run(load("x/my_strategy.py:MyStrategy"))[1] == 0.25
    assert run(load("y/my_strategy.py:MyStrategy"))[1] == -0.25


def test_a_relative_path_is_found_along_the_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, HEAD, STEP, MAKE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(load("my_strategy.py:MyStrategy")) == (1.0, 0.25)


def test_a_file_of_one_strategy_needs_no_name(tmp_path: Path) -> None:
    write(tmp_path, HEAD, STEP, MAKE)
    assert find("my_strategy.py").name == f"{tmp_path}/my_strategy.py:MyStrategy"


@pytest.mark.parametrize(
    ("parts", "reference", "message"),
    [
        ((), "absent.py:MyStrategy", "There is no file absent.py"),
        ((HEAD, STEP, MAKE), "my_strategy.py:", "names no object"),
        ((HEAD, STEP, MAKE), "my_strategy.py:Other", "no object 'Other'. It has: MyStrategy"),
        ((HEAD, STEP, MAKE, "Other = MyStrategy"), "my_strategy.py", "no object 'STRATEGY'. It has: MyStrategy, Other"),
        ((HEAD,), "my_strategy.py:MyStrategy", "It has no Strategy"),
        ((HEAD, STEP, MAKE), "my_strategy.py:step", "step is a function, not a Strategy"),
        (("import no_such_module_at_all",), "my_strategy.py:MyStrategy", "ModuleNotFoundError"),
        (("1 / 0",), "my_strategy.py:MyStrategy", "ZeroDivisionError"),
        (("def step(:",), "my_strategy.py:MyStrategy", "SyntaxError"),
        ((HEAD, "def step(state, bar):\n    return 1.0\n", MAKE), "my_strategy.py:MyStrategy", "does not compile"),
        ((HEAD, STEP.replace("1.0\n", "open('x')\n"), MAKE), "my_strategy.py:MyStrategy", "does not compile"),
        (
            (HEAD, "@njit(float64(float64[::1]))\ndef step(x):\n    return x[0]\n", MAKE),
            "my_strategy.py:MyStrategy",
            "not .*Decorate it with @njit",
        ),
        (
            (HEAD, "@njit(int64(*STEP_SIGNATURE.args))\ndef step(state, bar, params, targets):\n    return 1\n", MAKE),
            "my_strategy.py:MyStrategy",
            "Decorate it with @njit",
        ),
        ((HEAD, "step = 3\n", MAKE), "my_strategy.py:MyStrategy", "step is a int"),
        ((HEAD, STEP, MAKE.replace(", 1, state", ", 0, state")), "my_strategy.py:MyStrategy", "width is 0"),
        ((HEAD.replace("return 1", "return 0.5"), STEP, MAKE), "my_strategy.py:MyStrategy", "state_size gave 0.5"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    tmp_path: Path, parts: tuple[str, ...], reference: str, message: str
) -> None:
    if parts:
        write(tmp_path, *parts)
    with pytest.raises(LoadError, match=message):
        find(reference)


def test_the_signature_is_the_platforms() -> None:
    assert str(STEP_SIGNATURE).startswith("(Array(float64, 1, 'C'")


def test_an_index_beyond_an_array_raises_instead_of_writing_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, HEAD, STEP.replace("targets[0]", "targets[3]"), MAKE)
    with pytest.raises(IndexError):
        run(load("my_strategy.py:MyStrategy"))
    write(tmp_path, HEAD, STEP.replace("state[0]", "state[1]"), MAKE)
    with pytest.raises(IndexError):
        run(load("my_strategy.py:MyStrategy"))


def test_a_strategy_of_a_file_travels_to_a_process_that_has_not_imported_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, HEAD, STEP, MAKE)
    message = pickle.dumps(load("my_strategy.py:MyStrategy"))
    for name in [n for n in sys.modules if n.startswith("nt_ray_user_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(loader, "_LOADED", {})
    monkeypatch.chdir("/")
    assert run(pickle.loads(message)) == (1.0, 0.25)
    momentum = find("momentum")
    assert pickle.loads(pickle.dumps(momentum)).vector().tolist() == momentum.vector().tolist()
