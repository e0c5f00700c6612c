"""From settings to a swarm: the roster, the topology, the rule."""

from collections.abc import Mapping, Sequence

from nt_ray.config import Settings
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.loader import preparation, prepared
from nt_ray.strategies.registry import find
from nt_ray.swarm.hedge import Hedge
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.roster import DEFAULT_VARIANTS, RosterParams, Variants, roster
from nt_ray.swarm.rules import Majority, Mean, Median, Rule, Trimmed
from nt_ray.swarm.swarm import Swarm, SwarmParams
from nt_ray.swarm.topology.base import Topology
from nt_ray.swarm.topology.hierarchical import Hierarchical
from nt_ray.swarm.topology.mesh import Mesh
from nt_ray.swarm.topology.ring import Ring
from nt_ray.swarm.topology.star import Star
from nt_ray.swarm.transport import Transport
from nt_ray.trader.data import traded_horizons

OWN_DEFAULTS: Variants = {"default": {}}
"""Variants of a strategy for which none are named: one, with the defaults of its parameters."""

TOPOLOGIES = ("star", "hierarchical", "ring", "mesh")


def fields_to_read(settings: Settings) -> tuple[str, ...]:
    """Extra columns of the data: those asked for, and those that enabled strategies read and do not make."""
    wanted = list(settings.data.extra)
    for name in settings.strategies.enabled:
        if preparation(name) is None:
            wanted += [field for field in find(name).inputs if field not in wanted]
    return tuple(wanted)


def prepare_panel(names: Sequence[str], panel: BarPanel) -> BarPanel:
    """Panel with the fields that strategies from files make for themselves."""
    for name in names:
        if any(field not in panel.fields for field in find(name).inputs):
            panel = prepared(name, panel)
    return panel


def chosen_variants(settings: Settings) -> dict[str, Variants]:
    """Parameters of the agents of each enabled strategy, by its name."""
    variants: dict[str, Variants] = {}
    for name in settings.strategies.enabled:
        strategy = find(name)
        given = settings.strategies.variants.get(name)
        variants[strategy.name] = (
            {f"v{i}": values for i, values in enumerate(given)}
            if given
            else DEFAULT_VARIANTS.get(strategy.name, OWN_DEFAULTS)
        )
    return variants


def enabled_horizons(settings: Settings) -> tuple[int, ...]:
    """Horizons of the forecast that the agents trade."""
    found: set[int] = set()
    for name, variants in chosen_variants(settings).items():
        strategy = find(name)
        for values in variants.values():
            found.update(traded_horizons(strategy.inputs, parameters_of(strategy, values)))
    return tuple(sorted(found))


def parameters_of(strategy: Strategy, values: Mapping[str, float] | None = None) -> dict[str, float]:
    """Every parameter of a strategy by name, those of `values` and the defaults of the rest."""
    vector = strategy.vector(values).tolist()
    return dict(zip((p.name for p in strategy.parameters), vector, strict=True))


def build_roster(settings: Settings, panel: BarPanel) -> tuple[AgentSpec, ...]:
    """Agents of the enabled strategies over the panel's symbols."""
    swarm = settings.swarm
    params = RosterParams(group_size=swarm.group_size, variants=chosen_variants(settings), defer=swarm.defer)
    return roster(panel.symbols, params, find)


def single_agent(panel: BarPanel, name: str, values: Mapping[str, float] | None) -> tuple[AgentSpec, ...]:
    """One agent that runs one strategy over every symbol (the last is left out where they do not pair up)."""
    strategy = find(name)
    count = len(panel.symbols) - len(panel.symbols) % strategy.width
    vector = tuple(float(v) for v in strategy.vector(values))
    return (AgentSpec(0, strategy.name, strategy.name, tuple(range(count)), vector),)


def build_topology(settings: Settings, name: str) -> Topology:
    """Topology of this name with the settings' parameters."""
    swarm = settings.swarm
    makers: dict[str, Topology] = {
        "star": Star(),
        "hierarchical": Hierarchical(swarm.fanout),
        "ring": Ring(),
        "mesh": Mesh(degree=swarm.degree, epsilon=swarm.epsilon, seed=settings.seed),
    }
    return makers[name]


def build_rule(settings: Settings, panel: BarPanel, agents: int) -> Rule:
    """Consensus rule of the settings."""
    swarm = settings.swarm
    if swarm.rule == "hedge":
        return Hedge(agents, panel.values)
    rules: dict[str, Rule] = {
        "mean": Mean(),
        "median": Median(),
        "trimmed": Trimmed(swarm.trim),
        "majority": Majority(),
    }
    return rules[swarm.rule]


def build_swarm(
    settings: Settings, panel: BarPanel, specs: tuple[AgentSpec, ...], transport: Transport, topology: str
) -> Swarm:
    """Coordinator over hosts that a transport reaches."""
    swarm = settings.swarm
    params = SwarmParams(swarm.quorum, swarm.deadline_s, swarm.strict, swarm.max_repairs, swarm.on_fault)
    rule = build_rule(settings, panel, len(specs))
    return Swarm(specs, transport, build_topology(settings, topology), rule, params)
