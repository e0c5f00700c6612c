"""What a generator learns on: returns standardised, freed of heavy tails, standardised again; and the exact way back.

Fitted on the training returns alone and kept with the weights. Time is not known here.

Source: Wiese, Knobloch, Korn and Kretschmer (2020), Quant GANs: deep generation of financial time series,
Quantitative Finance 20.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.lambert import GAUSSIAN_KURTOSIS, tail_weight, with_tails, without_tails
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Mean and deviation of returns, tail weight delta, mean and deviation of what is left."""

    mean: float
    deviation: float
    delta: float
    inner_mean: float
    inner_deviation: float

    @classmethod
    def fit(cls, returns: FloatArray, kurtosis: float = GAUSSIAN_KURTOSIS) -> "Preprocessing":
        """Fit to returns (n,), finite and not constant, so that the networks see a series of this kurtosis.

        The paper's is 3. A generator of stochastic volatility makes tails of its own and wants some left.
        """
        mean, deviation = float(returns.mean()), float(returns.std())
        if not deviation > 1e-12 * max(abs(mean), 1e-12):
            raise NeuralError(f"Returns that are all {mean:g} have nothing to learn. Give returns that vary.")
        z = (returns - mean) / deviation
        delta = tail_weight(z, kurtosis)
        inner = without_tails(z, delta)
        return cls(mean, deviation, delta, float(inner.mean()), float(inner.std()))

    def forward(self, returns: FloatArray) -> FloatArray:
        """Returns to the scale that the networks see, elementwise; NaN stays NaN."""
        inner = without_tails((np.asarray(returns, dtype=np.float64) - self.mean) / self.deviation, self.delta)
        scaled: FloatArray = (inner - self.inner_mean) / self.inner_deviation
        return scaled

    def inverse(self, scaled: Tensor) -> Tensor:
        """Undo `forward`, elementwise; differentiable."""
        return with_tails(scaled * self.inner_deviation + self.inner_mean, self.delta) * self.deviation + self.mean
