"""The strategies there are, and how they are found by name."""

from difflib import get_close_matches

from nt_ray.errors import StrategyError
from nt_ray.strategies import mean_reversion, momentum, pairs
from nt_ray.strategies.base import Strategy

STRATEGIES: tuple[Strategy, ...] = (momentum.STRATEGY, mean_reversion.STRATEGY, pairs.STRATEGY)


def find(name: str) -> Strategy:
    """Return the strategy of this name or alias, whatever its case, hyphens or blanks."""
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    known = {key: s for s in STRATEGIES for key in (s.name, *s.aliases)}
    if wanted in known:
        return known[wanted]
    names = ", ".join(s.name for s in STRATEGIES)
    near = get_close_matches(wanted, known, n=1, cutoff=0.0)
    raise StrategyError(f"Unknown strategy {name!r}; did you mean {near[0]!r}? There are: {names}.")
