from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.draws import NOISE, PATHS, noise, starts
from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.synthetic.training import GanLosses, GanTraining
from nt_ray.types import FloatArray


def weights(training: GanTraining) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": tensor
        for name in ("generator", "critic", "averaged")
        for key, tensor in getattr(training, name).state_dict().items()
    }


def same(one: GanTraining, other: GanTraining) -> bool:
    return all(torch.equal(tensor, weights(other)[name]) for name, tensor in weights(one).items())


def test_noise_is_a_function_of_seed_stream_and_number_and_longer_begins_with_shorter() -> None:
    torch.testing.assert_close(noise(1, NOISE, 7, 50, 3)[:20], noise(1, NOISE, 7, 20, 3), rtol=0, atol=0)
    for other in (noise(2, NOISE, 7, 50, 3), noise(1, PATHS, 7, 50, 3), noise(1, NOISE, 8, 50, 3)):
        assert not torch.isin(other, noise(1, NOISE, 7, 50, 3)).any()
    rows, paths = starts(1, 3, 5000, (10, 4))
    assert (sorted(set(rows.tolist())), sorted(set(paths.tolist()))) == (list(range(10)), list(range(4)))


def test_a_killed_training_that_resumes_ends_with_the_same_bits(
    returns: FloatArray, small: GanSettings, tmp_path: Path
) -> None:
    whole = GanTraining(returns, small)
    whole.run()
    first = GanTraining(returns, small)
    first.run(5)
    first.save(tmp_path / "state")
    resumed = GanTraining(returns, small)
    resumed.load(tmp_path / "state")
    assert resumed.step == 5
    assert not same(resumed, whole)
    resumed.run()
    assert resumed.step == whole.step == 12
    assert same(resumed, whole)


def test_training_leaves_the_global_random_state_alone_and_does_not_look_at_it(
    returns: FloatArray, small: GanSettings
) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = GanTraining(returns, small)
    one.run(2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    other = GanTraining(returns, small)
    other.run(2)
    assert same(one, other)
    assert not same(one, GanTraining(returns, small.model_copy(update={"seed": 1})))


def test_the_penalties_fall_in_training(returns: FloatArray, small: GanSettings) -> None:
    seen: list[GanLosses] = []
    training = GanTraining(returns, small.model_copy(update={"steps": 40, "learning_rate": 0.02}))
    training.run(on_step=lambda _, losses: seen.append(losses))
    early, late = (np.mean([one.quantile for one in part]) for part in (seen[:10], seen[-10:]))
    assert late < 0.7 * early
    assert all(one.critic > 0 for one in seen)


def test_without_the_critics_opinion_the_critic_stays_as_it_was(returns: FloatArray, small: GanSettings) -> None:
    training = GanTraining(returns, small.model_copy(update={"adversarial": 0.0}))
    before = {key: tensor.clone() for key, tensor in weights(training).items()}
    training.run(2)
    after = weights(training)
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items() if key.startswith("critic"))
    assert not torch.equal(after["generator.leave.weight"], before["generator.leave.weight"])


def test_a_checkpoint_of_other_settings_data_or_a_cut_file_is_refused(
    returns: FloatArray, small: GanSettings, tmp_path: Path
) -> None:
    training = GanTraining(returns, small)
    training.save(tmp_path / "state")
    with pytest.raises(NeuralError, match="another settings"):
        GanTraining(returns, small.model_copy(update={"seed": 1})).load(tmp_path / "state")
    with pytest.raises(NeuralError, match="another data"):
        GanTraining(returns[1:], small).load(tmp_path / "state")
    file = tmp_path / "state" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(NeuralError, match="damaged"):
        training.load(tmp_path / "state")


def test_returns_that_cannot_be_learnt_are_refused(returns: FloatArray, small: GanSettings) -> None:
    with pytest.raises(NeuralError, match="are too few"):
        GanTraining(returns[:30], small)
    with pytest.raises(NeuralError, match="one finite series"):
        GanTraining(np.append(returns, np.nan), small)
    with pytest.raises(NeuralError, match="cannot be halved"):
        GanSettings(window=16, critic_layers=5)
    with pytest.raises(ValidationError, match="widht"):
        GanSettings.model_validate({"widht": 3})


def test_losses_that_are_not_finite_stop_the_training(returns: FloatArray, small: GanSettings) -> None:
    training = GanTraining(returns, small)
    with torch.no_grad():
        training.generator.leave.bias.fill_(float("nan"))
    with pytest.raises(NeuralError, match="losses of step 1 are not finite"):
        training.advance()
