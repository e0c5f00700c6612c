// Figures by plotly, in the colours of the page. Its script is fetched when the first figure is drawn.
const drawn = new Map(); // By id of the place: what it shows, and how to draw it.
let loading = null;

function plotly() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = document.documentElement.dataset.plotly;
    script.onload = () => done(window.Plotly);
    script.onerror = () => {
      loading = null;
      failed(new Error("The script of the figures did not arrive."));
    };
    document.head.append(script);
  });
  return loading;
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Plotly reads some tags in texts; what the server says has none.
export const literal = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export function frame(more = {}) {
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true, fixedrange: true };
  const { xaxis, yaxis, ...rest } = more;
  return {
    autosize: true, margin: { l: 8, r: 8, t: 26, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 11, color: colour("--muted") }, showlegend: true, separators: ".,",
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { color: colour("--ink") } }, hovermode: "x unified", dragmode: false,
    hoverlabel: { bgcolor: colour("--raised"), bordercolor: colour("--field"), font: { color: colour("--ink") } },
    xaxis: { ...axis, showgrid: false, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

// `build` gives traces and layout; they are drawn where `key` says something else than before.
export function draw(id, key, build) {
  const now = JSON.stringify(key);
  const place = document.getElementById(id);
  if (drawn.get(id)?.key === now && place.childElementCount) return;
  drawn.set(id, { key: now, build });
  plotly().then(() => paint(id), (error) => { place.textContent = error.message; });
}

function paint(id) {
  const place = document.getElementById(id);
  const wanted = drawn.get(id);
  if (!place || !wanted) return;
  const [traces, layout] = wanted.build();
  // Where the place was emptied since, plotly would go on with what is no longer there.
  if (!place.childElementCount) window.Plotly.purge(place);
  window.Plotly.react(place, traces, layout, { responsive: true, displayModeBar: false });
}

export function repaint() {
  if (window.Plotly) for (const id of drawn.keys()) paint(id);
}

export function wipe() {
  for (const id of drawn.keys()) {
    const place = document.getElementById(id);
    if (place && window.Plotly) window.Plotly.purge(place);
  }
  drawn.clear();
}

export function lines(id, series) {
  const key = series.map((s) => [s.name, s.x.length, s.x[0], s.x.at(-1), s.y.at(-1)]);
  const look = (n) => (n ? { color: colour("--muted"), width: 1.3, dash: "dot" } : { color: colour("--accent"), width: 1.8 });
  draw(id, key, () => [
    series.map((s, n) => ({
      type: "scatter", mode: "lines", name: literal(s.name), x: s.x, y: s.y, line: look(n), hovertemplate: "%{y:,.2f}",
    })),
    frame({ yaxis: { tickformat: ",~f", side: "right" } }),
  ]);
}
