"""Training of a generator on one series of returns: step k is a pure function of the state after k steps, seed and k.

The state is the weights, the optimisers' moments and the number of steps done. `save` writes it and `load` takes it
back, after which training ends with the very bits of an uninterrupted one (same machine, same number of threads).
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nt_ray.neural.first_weights import first_weights
from nt_ray.neural.inference.folder import match, read_tensors, read_text, write_folder
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.critic import Critic
from nt_ray.neural.synthetic.dependence import curves
from nt_ray.neural.synthetic.draws import NOISE, noise, number_for_weights, starts
from nt_ray.neural.synthetic.generator import Generator
from nt_ray.neural.synthetic.losses import (
    critic_loss,
    dependence_penalty,
    generator_loss,
    gradient_penalty,
    quantile_penalty,
)
from nt_ray.neural.synthetic.preprocessing import Preprocessing
from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.training.optimiser import AdamW
from nt_ray.types import FloatArray

FORMAT: Final = "nt-ray-gan-checkpoint/1"
TENSORS, TEXT = "state.safetensors", "state.json"
QUANTILES = 256
LAST_RATE = 0.05
"""Learning rate at the end, as a share of the first."""
CLIP = 1.0
BETAS = (0.5, 0.99)
"""Short memories of the optimisers: what either network should do next changes with the other."""
YOUNG = 10.0
"""The moving average of the weights forgets its start faster: after k steps its memory is at most k / (k + 10)."""


@dataclass(frozen=True, slots=True)
class GanLosses:
    """Losses of one step; the penalties before their weights."""

    critic: float
    generator: float
    dependence: float
    quantile: float


class GanTraining:
    """A generator and a critic in training on returns (n,)."""

    def __init__(self, returns: FloatArray, settings: GanSettings) -> None:
        self.settings = settings
        self.returns = _checked(returns, settings)
        self.preprocessing = Preprocessing.fit(self.returns, settings.kurtosis)
        self.generator = build_generator(settings)
        self.critic = build_critic(settings)
        self.averaged = build_generator(settings)
        self.averaged.requires_grad_(False)
        self._optimisers = {
            "generator": AdamW(self.generator.parameters(), 0.0, CLIP, BETAS),
            "critic": AdamW(self.critic.parameters(), 0.0, CLIP, BETAS),
        }
        self.step = 0
        real = torch.from_numpy(self.preprocessing.forward(self.returns))
        self._real = real.float()
        self._curves = curves(torch.from_numpy(self.returns), settings.lags).float()
        levels = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
        self._quantiles = real.quantile(levels).float()

    def run(self, until: int | None = None, on_step: Callable[[int, GanLosses], None] | None = None) -> None:
        """Train up to step `until`, the end of the schedule where None."""
        until = self.settings.steps if until is None else min(until, self.settings.steps)
        while self.step < until:
            losses = self.advance()
            if on_step is not None:
                on_step(self.step, losses)

    def advance(self) -> GanLosses:
        """Make one step of the critic and one of the generator."""
        settings = self.settings
        paths: Tensor = self.generator(self._noise())
        last = len(self.returns) - settings.window + 1
        rows = starts(settings.seed, self.step, settings.windows, (last, last, settings.paths))
        own, at, of = (torch.from_numpy(found)[:, None] for found in rows)
        offsets = torch.arange(settings.window)
        real, generated = self._real[own + offsets], paths[of, at + offsets]
        critic = self._step_critic(real, generated.detach()) if settings.adversarial else 0.0
        losses = self._step_generator(paths, real, generated, critic)
        self.step += 1
        if not all(map(math.isfinite, (losses.critic, losses.generator, losses.dependence, losses.quantile))):
            raise NeuralError(
                f"The losses of step {self.step} are not finite. Use a learning_rate below {settings.learning_rate:g}."
            )
        return losses

    def save(self, folder: Path) -> None:
        """Write the state to a folder, whole or not at all."""
        write_folder(folder, self._state(), TENSORS, self._description(), TEXT)

    def load(self, folder: Path) -> None:
        """Take back what `save` wrote for the same settings and returns."""
        text, own = read_text(folder, TEXT), self._description()
        for key in ("format", "settings", "data"):
            if text.get(key) != own[key]:
                raise NeuralError(
                    f"The checkpoint in {folder} has another {key}. "
                    "Resume with what it was written with, or start anew."
                )
        tensors, state = read_tensors(folder, TENSORS), self._state()
        match(tensors, state, Path(folder))
        with torch.no_grad():
            for name, tensor in state.items():
                tensor.copy_(tensors[name])
        self.step = int(text["step"])

    def _description(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "data": data_hash(self.returns),
            "step": self.step,
        }

    def _state(self) -> dict[str, Tensor]:
        """The tensors of the state themselves, by name."""
        networks = {"generator": self.generator, "critic": self.critic, "averaged": self.averaged}
        found = {f"{name}.{key}": t for name, net in networks.items() for key, t in net.state_dict().items()}
        for name, optimiser in self._optimisers.items():
            found |= {f"moments.{name}.{key}": tensor for key, tensor in optimiser.state().items()}
        return found

    def _noise(self) -> Tensor:
        settings, length = self.settings, len(self.returns) + self.generator.receptive
        drawn = noise(settings.seed, NOISE, self.step, settings.paths * length, settings.channels)
        return drawn.reshape(settings.paths, length, settings.channels)

    def _step_critic(self, real: Tensor, generated: Tensor) -> float:
        settings = self.settings
        loss = critic_loss(self.critic(real), self.critic(generated))
        judged = float(loss.detach())
        if self.step % settings.gradient_every == 0:
            penalty = gradient_penalty(self.critic, real) + gradient_penalty(self.critic, generated)
            loss = loss + 0.5 * settings.gradient * settings.gradient_every * penalty
        self._update("critic", loss)
        return judged

    def _step_generator(self, paths: Tensor, real: Tensor, generated: Tensor, critic: float) -> GanLosses:
        settings = self.settings
        opinion = torch.zeros(())
        if settings.adversarial:
            opinion = generator_loss(self.critic(real).detach(), self.critic(generated))
        dependence = dependence_penalty(curves(self.preprocessing.inverse(paths), settings.lags), self._curves)
        quantile = quantile_penalty(paths, self._quantiles)
        loss = settings.adversarial * opinion + settings.dependence * dependence + settings.quantile * quantile
        self._update("generator", loss)
        keep = min(settings.average, self.step / (self.step + YOUNG))
        with torch.no_grad():
            for mean, weight in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(weight, 1.0 - keep)
        return GanLosses(critic, *(float(part.detach()) for part in (opinion, dependence, quantile)))

    def _update(self, name: str, loss: Tensor) -> None:
        optimiser = self._optimisers[name]
        optimiser.zero()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step(self.settings.learning_rate * _rate(self.step / self.settings.steps))


def build_generator(settings: GanSettings) -> Generator:
    """Build the generator that settings describe, with the first weights of their seed."""
    with first_weights(number_for_weights(settings.seed, 0)):
        return Generator(width=settings.width, layers=settings.layers, channels=settings.channels)


def build_critic(settings: GanSettings) -> Critic:
    """Build the critic that settings describe, with the first weights of their seed."""
    with first_weights(number_for_weights(settings.seed, 1)):
        return Critic(width=settings.critic_width, layers=settings.critic_layers)


def data_hash(returns: FloatArray) -> str:
    """SHA-256 of returns (n,) as little-endian float64."""
    return hashlib.sha256(returns.astype("<f8").tobytes()).hexdigest()


def _rate(done: float) -> float:
    return LAST_RATE + (1.0 - LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * done))


def _checked(returns: FloatArray, settings: GanSettings) -> FloatArray:
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 1 or not np.isfinite(returns).all():
        raise NeuralError(f"Returns of shape {returns.shape} cannot be learnt. Give one finite series.")
    if len(returns) < settings.shortest:
        raise NeuralError(
            f"{len(returns)} returns are too few for windows of {settings.window} and {settings.lags} lags. "
            f"Give {settings.shortest} or more, or use smaller settings."
        )
    return returns
