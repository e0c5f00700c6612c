import pytest

from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.registry import NAMES, build, every, find, parameters
from nt_ray.neural.problems import NeuralError


def test_names_are_found_whatever_their_case_and_hyphens() -> None:
    assert find(" N-HiTS ").name == "nhits"
    assert find("PatchTST").name == "transformer"
    assert [model.name for model in every()] == list(NAMES)


def test_no_name_or_alias_stands_for_two_models() -> None:
    names = [name for model in every() for name in (model.name, *model.aliases)]
    assert len(names) == len(set(names))


def test_a_wrong_name_gets_the_nearest_one() -> None:
    with pytest.raises(NeuralError, match=r"Unknown model 'lstn'; did you mean 'lstm'\? There are: lstm, gru,"):
        find("lstn")


def test_parameters_are_the_defaults_but_for_those_given() -> None:
    assert parameters("lstm", {"hidden_size": 64}) == {"hidden": 64, "layers": 3, "shrink": 0.5, "dropout": 0.2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": 0}, r"Parameter hidden=0 is out of range\. Use 1 to 4096"),
        ({"hidden": 1.5}, "must be a whole number"),
        ({"depth": 2}, "lstm has no parameter 'depth'"),
    ],
)
def test_parameters_that_make_no_network_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(NeuralError, match=message):
        build("lstm", Shape(8, 2), values)
