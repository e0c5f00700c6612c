"""A perceptron of equal layers."""

from torch import nn

from nt_ray.neural.models.dropout import Dropout


def perceptron(inputs: int, width: int, layers: int, dropout: float = 0.0) -> nn.Sequential:
    """`layers` times linear map, rectifier and dropout, from `inputs` columns to `width`."""
    parts: list[nn.Module] = []
    for layer in range(layers):
        parts += [nn.Linear(width if layer else inputs, width), nn.ReLU()]
        if dropout:
            parts.append(Dropout(dropout))
    return nn.Sequential(*parts)
