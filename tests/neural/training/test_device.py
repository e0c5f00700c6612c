import pytest
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.training.device import find_device


def test_devices_go_by_name() -> None:
    assert find_device("cpu") == find_device(torch.device("cpu")) == torch.device("cpu")
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("name", "words"),
    [("gpu", "Unknown device 'gpu'"), ("meta", "does not run on 'meta'"), ("cuda:97", "cuda:97 was asked for")],
)
def test_devices_that_are_not_there_are_refused(name: str, words: str) -> None:
    with pytest.raises(NeuralError, match=words):
        find_device(name)
