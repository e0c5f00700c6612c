// Figures by plotly, in the colours of the page; drawn again where their data or the colours change.
const PALETTE = ["#2f7fd0", "#d9822b", "#2e9b63", "#a85fb0", "#b0a000", "#3ba7c4", "#b0623a", "#7a8894"];
const drawn = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(height, more) {
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true };
  return {
    height, margin: { l: 8, r: 12, t: 24, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--ink") }, showlegend: true,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" }, hovermode: "x unified",
    hoverlabel: { bgcolor: colour("--card"), font: { color: colour("--ink") } },
    xaxis: { ...axis, showgrid: false }, yaxis: axis, ...more,
  };
}

function draw(place, key, data, shape) {
  const now = JSON.stringify([key, colour("--ink")]);
  if (drawn.get(place.id) === now && place.childElementCount) return;
  drawn.set(place.id, now);
  window.Plotly.react(place, data, shape, { responsive: true, displayModeBar: false });
}

export function lines(place, series, height = 260) {
  const data = series.map((s, n) => ({
    type: "scatter", mode: "lines", name: s.name, x: s.x, y: s.y, line: { color: n ? colour("--muted") : colour("--accent"), width: 1.6 },
  }));
  const key = series.map((s) => [s.name, s.x.length, s.x.at(-1), s.y.at(-1)]);
  draw(place, key, data, layout(height, {}));
}

export function graph(place, run) {
  const at = new Map(run.agents.map((agent) => [agent.agent, agent]));
  const x = [], y = [];
  for (const [a, b] of run.edges) {
    x.push(at.get(a).x, at.get(b).x, null);
    y.push(at.get(a).y, at.get(b).y, null);
  }
  const between = { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", showlegend: false, line: { color: colour("--field"), width: 1 }, opacity: 0.5 };
  const size = Math.max(5, Math.min(16, 160 / Math.sqrt(Math.max(run.agents.length, 1))));
  const strategies = [...new Set(run.agents.map((agent) => agent.strategy))];
  const nodes = strategies.map((strategy, n) => {
    const own = run.agents.filter((agent) => agent.strategy === strategy);
    return {
      type: "scatter", mode: "markers", name: strategy.replaceAll("_", " "), x: own.map((a) => a.x), y: own.map((a) => a.y),
      text: own.map((a) => `${a.name}<br>weight ${(a.weight ?? 0).toFixed(2)}<br>own return ${((a.contribution ?? 0) * 100).toFixed(1)} %`),
      hovertemplate: "%{text}<extra></extra>",
      marker: { color: PALETTE[n % PALETTE.length], size: own.map((a) => size * (0.6 + 0.8 * Math.min(a.weight ?? 0, 1))), line: { color: colour("--card"), width: 1 } },
    };
  });
  const hidden = { visible: false };
  draw(place, [run.run], [between, ...nodes], layout(380, { xaxis: hidden, yaxis: { ...hidden, scaleanchor: "x" }, hovermode: "closest" }));
}
