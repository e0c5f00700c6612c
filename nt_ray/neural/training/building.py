"""Networks and heads from a recipe, their weights drawn from its seed alone."""

from nt_ray.neural.ensemble import EnsembleHead
from nt_ray.neural.first_weights import first_weights
from nt_ray.neural.heads.heads import Head, find_head
from nt_ray.neural.models import registry
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.series.sampling import mix
from nt_ray.neural.series.signature import Signature
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.step import WEIGHTS


def build_head(recipe: Recipe) -> Head:
    """Head of a recipe; an ensemble's reads each member's outputs with one of its own."""
    heads = [find_head(recipe.head, recipe.levels) for _ in recipe.model.split(registry.JOINT)]
    return heads[0] if len(heads) == 1 else EnsembleHead(heads)


def build_network(recipe: Recipe, signature: Signature, outputs: int) -> Forecaster:
    """New network of a recipe; the global random state is left as it was."""
    shape = recipe.shape(len(signature.past), len(signature.future), len(signature.static), outputs)
    with first_weights(mix(recipe.seed, WEIGHTS) >> 1):
        return registry.build(recipe.model, shape, recipe.parameters)
