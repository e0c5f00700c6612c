"""The swarm's graph of one round: where agents stand and which of them talk.

A star has its hub in the middle, a hierarchy is a tree from left to right (around its root where it is
large), a ring and a mesh stand on a circle.
"""

import math
from collections.abc import Sequence
from typing import Any

from nt_ray.reports.formats import label
from nt_ray.reports.record import RunRecord
from nt_ray.reports.style import INK, Figure, colours, layout

Position = tuple[float, float]
MAX_NAMED_NODES = 24
MAX_EDGES = 20_000
"""More lines than this are a grey disc; the first ones are drawn."""


def swarm_graph(record: RunRecord) -> Figure:
    """Draw the agents, coloured by strategy, and the edges between them."""
    agents = [int(a) for a in record.agents["agent"].to_list()]
    names = [label(n) for n in record.agents["name"].to_list()]
    strategies = [str(s) for s in record.agents["strategy"].to_list()]
    edges = [(a, b) for a, b in record.edges if a in set(agents) and b in set(agents)]
    places = positions(record.topology, agents, edges)
    inner = {parent for parent, _ in edges}
    traces: list[dict[str, Any]] = [_lines(edges[:MAX_EDGES], places, len(agents))]
    size = max(4.0, min(16.0, 160.0 / math.sqrt(max(len(agents), 1))))
    for strategy, colour in colours(strategies).items():
        rows = [i for i, s in enumerate(strategies) if s == strategy]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers+text" if len(agents) <= MAX_NAMED_NODES else "markers",
                "name": label(strategy),
                "x": [round(places[agents[i]][0], 4) for i in rows],
                "y": [round(places[agents[i]][1], 4) for i in rows],
                "text": [names[i] for i in rows],
                "textposition": [_outside(places[agents[i]], record.topology, agents[i] not in inner) for i in rows],
                "textfont": {"size": 11, "color": INK},
                "cliponaxis": False,
                "marker": {"color": colour, "size": size, "line": {"color": "#ffffff", "width": 1}},
                "hovertemplate": "%{text}<extra>" + label(strategy) + "</extra>",
            }
        )
    hidden = {"visible": False}
    flat = record.topology == "hierarchical" and len(agents) <= MAX_NAMED_NODES
    scaled = hidden if flat else {**hidden, "scaleanchor": "x"}
    # Names of leaves stand to their right.
    margin = {"l": 40, "r": 120 if flat else 40, "t": 40, "b": 30}
    frame = layout(420, xaxis=hidden, yaxis=scaled, hovermode="closest", margin=margin)
    return {"data": traces, "layout": frame}


def positions(topology: str, agents: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, Position]:
    """Place agents in the plane by topology; an unknown topology stands on a circle."""
    if topology == "star" and edges:
        degree: dict[int, int] = dict.fromkeys(agents, 0)
        for a, b in edges:
            degree[a] += 1
            degree[b] += 1
        hub = max(agents, key=lambda a: degree[a])
        return {hub: (0.0, 0.0), **_circle([a for a in agents if a != hub])}
    if topology == "hierarchical" and edges:
        tree = _tree(agents, edges)
        return tree if len(agents) <= MAX_NAMED_NODES else _radial(tree)
    return _circle(agents)


def _circle(agents: Sequence[int]) -> dict[int, Position]:
    turn = 2.0 * math.pi / max(len(agents), 1)
    return {a: (math.sin(turn * i), math.cos(turn * i)) for i, a in enumerate(agents)}


def _tree(agents: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, Position]:
    """Leaves one below the other, a parent left of the middle of its children, each level a step on."""
    children: dict[int, list[int]] = {a: [] for a in agents}
    below = set()
    for parent, child in edges:
        if child not in below and child != parent:
            children[parent].append(child)
            below.add(child)
    places: dict[int, Position] = {}
    leaves = 0
    stack = [(a, 0, False) for a in reversed(agents) if a not in below]
    while stack:
        agent, depth, seen = stack.pop()
        if not seen and children[agent]:
            stack.append((agent, depth, True))
            stack.extend((c, depth + 1, False) for c in reversed(children[agent]))
            continue
        if children[agent]:
            y = sum(places[c][1] for c in children[agent]) / len(children[agent])
        else:
            y, leaves = -float(leaves), leaves + 1
        places[agent] = (float(depth), y)
    # Agents on a cycle have no root; they line up beyond the tree.
    lost = [a for a in agents if a not in places]
    beyond = max((x for x, _ in places.values()), default=0.0) + 1.0
    return places | {a: (beyond, -float(i)) for i, a in enumerate(lost)}


def _radial(places: dict[int, Position]) -> dict[int, Position]:
    """Bend a wide tree around its root: levels become rings."""
    turn = 2.0 * math.pi / (1.0 - min(y for _, y in places.values()))
    return {a: (x * math.sin(-turn * y), x * math.cos(turn * y)) for a, (x, y) in places.items()}


def _outside(place: Position, topology: str, leaf: bool) -> str:
    if topology == "hierarchical":
        return "middle right" if leaf else "top center"
    across = "center" if abs(place[0]) < 0.2 else ("right" if place[0] > 0 else "left")
    along = "middle" if abs(place[1]) < 0.2 and across != "center" else ("top" if place[1] >= 0 else "bottom")
    return f"{along} {across}"


def _lines(edges: Sequence[tuple[int, int]], places: dict[int, Position], count: int) -> dict[str, Any]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for a, b in edges:
        xs += [round(places[a][0], 4), round(places[b][0], 4), None]
        ys += [round(places[a][1], 4), round(places[b][1], 4), None]
    shade = max(0.08, min(0.6, 90.0 / max(len(edges), 1)))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {
            "color": f"rgba(107, 119, 133, {shade:.3f})",
            "width": 1 if count > MAX_NAMED_NODES else 1.3,
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }
