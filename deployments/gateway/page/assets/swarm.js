// The swarm: its graph, and each agent's opinion and weight in the newest decision that the stream told of; before the
// first one, the weights of the newest finished run.
import { $, el, isNews, put } from "/assets/dom.js";
import { colour, draw, frame, lines, literal } from "/assets/figures.js";
import { table, toned } from "/assets/table.js";
import { change, plain, time, tone, words } from "/assets/text.js";

const PALETTE = ["#2f7fd0", "#c9731f", "#2e9b63", "#a85fb0", "#9a8a00", "#2b94b0", "#b0623a", "#7a8894"];
const MOST_ROWS = 200, MOST_DECISIONS = 200, MOST_BARS = 150;
const decisions = new Map(); // The newest by source and symbol.
const bars = new Map(); // The newest by source and symbol.
let run = null, chosen = "", waiting = 0;

export function showRun(found) {
  run = found;
  if (isNews("run-figure", "line")) put("run-figure");
  lines("run-figure", [
    { name: found.name, x: found.times, y: found.equity },
    { name: found.benchmark_name, x: found.times, y: found.benchmark },
  ]);
  $("run-note").textContent = `${found.run}, ${found.topology}`;
  show();
}

export function noRun(why) {
  run = null;
  $("run-note").textContent = "";
  if (isNews("run-figure", why)) put("run-figure", el("p", { class: "none" }, why));
  show();
}

export function decided(message) {
  const { source, agents, bar_time: at, target } = message.data;
  const key = `${source} · ${message.symbol}`;
  decisions.delete(key);
  decisions.set(key, { source, symbol: message.symbol, at, target, agents, seq: message.seq });
  while (decisions.size > MOST_DECISIONS) decisions.delete(decisions.keys().next().value);
  soon();
}

export function barCame(message) {
  const key = `${message.data.source || ""} · ${message.symbol}`;
  const own = bars.get(key) || [];
  const isWhole = ["open", "high", "low", "close"].every((name) => message.data[name] !== null);
  if (!isWhole || (own.length && own.at(-1).time >= message.data.time)) return;
  own.push(message.data);
  bars.set(key, own.slice(-MOST_BARS));
  if (message.symbol === decisions.get(chosen)?.symbol) soon();
}

export function forgetSwarm() {
  decisions.clear();
  bars.clear();
  run = null;
  chosen = "";
}

// Decisions come in bursts; a person reads none of them quicker than this.
function soon() {
  waiting ||= setTimeout(() => {
    waiting = 0;
    if (!$("app").hidden) show();
  }, 250);
}

function show() {
  const keys = [...decisions.keys()].sort();
  if (!decisions.has(chosen)) chosen = [...decisions.keys()].at(-1) || "";
  const pick = $("decision");
  if (isNews("decision", keys)) pick.replaceChildren(...keys.map((key) => el("option", { value: key }, key)));
  pick.value = chosen;
  pick.onchange = () => {
    chosen = pick.value;
    show();
  };
  $("decision-pick").hidden = !keys.length;
  const decision = decisions.get(chosen) || null;
  note(decision);
  const agents = merged(decision);
  picture(agents, decision);
  rows(agents, decision);
  candles(decision);
}

function note(decision) {
  const target = decision && el("strong", { class: tone(decision.target) || null }, signed(decision.target));
  const nodes = decision ? ["Target ", target, ` of ${decision.symbol} at ${time(decision.at)} UTC`] : [run ? "No decision has been told yet: weights of the newest run." : ""];
  $("decision-note").replaceChildren(...nodes);
}

const signed = (value) => (Number(value) > 0 ? "+" : "") + plain(value, 3);

// Agents of the decision where they stand in the run's graph; agents that it does not know stand on a circle.
function merged(decision) {
  if (!decision) return run ? run.agents.map((agent) => ({ ...agent, opinion: null })) : [];
  const known = new Map((run?.agents || []).flatMap((agent) => [[String(agent.agent), agent], [agent.name, agent]]));
  const told = decision.agents.map((agent) => ({ ...agent, own: known.get(String(agent.agent)) }));
  const fits = told.length > 0 && told.every((agent) => agent.own && agent.own.strategy === agent.strategy);
  return told.map((agent, n) => {
    const turn = (2 * Math.PI * n) / told.length;
    const place = fits ? agent.own : { x: Math.sin(turn), y: Math.cos(turn), contribution: null, agent: n, name: String(agent.agent) };
    return { ...place, strategy: agent.strategy, opinion: Number(agent.opinion), weight: Number(agent.weight) };
  });
}

function rows(agents, decision) {
  const force = (a) => (decision ? Math.abs(a.opinion * a.weight) : (a.contribution ?? -Infinity));
  const shown = [...agents].sort((a, b) => force(b) - force(a)).slice(0, MOST_ROWS).map((a) => ({ ...a, key: a.name }));
  if (!isNews("swarm-table", shown)) return;
  const opinion = { title: "Opinion", cell: (a) => el("span", { class: "opinion" }, toned(signed(a.opinion), tone(a.opinion)), lean(a.opinion)) };
  put("swarm-table", table([
    { title: "Agent", cell: (a) => a.name, text: true },
    { title: "Strategy", cell: (a) => words(a.strategy), text: true },
    ...(decision ? [opinion] : []),
    { title: "Weight", cell: (a) => plain(a.weight, 3) },
    { title: "Own return", cell: (a) => toned(change(a.contribution), tone(a.contribution)), kind: "minor" },
  ], shown, "Agents", "No swarm has decided or finished a run yet."));
}

// A bar to the left or right of its middle.
function lean(opinion) {
  const fill = el("i", { class: tone(opinion) || null });
  const size = Math.min(1, Math.abs(opinion)) * 50;
  fill.style.width = size + "%";
  fill.style.left = (opinion < 0 ? 50 - size : 50) + "%";
  return el("span", { class: "lean", "aria-hidden": "true" }, fill);
}

function picture(agents, decision) {
  if (!agents.length) {
    if (isNews("swarm-figure", "none")) put("swarm-figure");
    return;
  }
  const key = [run?.run, decision?.seq, chosen];
  draw("swarm-figure", key, () => {
    const hidden = { visible: false };
    const traces = [edges(agents), ...(decision ? [byOpinion(agents)] : byStrategy(agents))];
    return [traces, frame({ xaxis: hidden, yaxis: { ...hidden, scaleanchor: "x" }, hovermode: "closest", showlegend: !decision })];
  });
}

function edges(agents) {
  const at = new Map(agents.map((agent) => [agent.agent, agent]));
  const x = [], y = [];
  for (const [a, b] of run?.edges || []) {
    if (!at.has(a) || !at.has(b)) continue;
    x.push(at.get(a).x, at.get(b).x, null);
    y.push(at.get(a).y, at.get(b).y, null);
  }
  return { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", showlegend: false, line: { color: colour("--field"), width: 1 }, opacity: 0.5 };
}

const hover = (a) => [
  literal(a.name), literal(words(a.strategy)), ...(a.opinion === null ? [] : [`opinion ${signed(a.opinion)}`]), `weight ${plain(a.weight, 3)}`,
  ...(a.contribution === null ? [] : [`own return ${change(a.contribution)}`]),
].join("<br>");

function dots(agents, marker, name = "") {
  const most = Math.max(...agents.map((a) => a.weight ?? 0), 1e-9);
  const size = Math.max(6, Math.min(20, 160 / Math.sqrt(agents.length)));
  return {
    type: "scatter", mode: "markers", name, x: agents.map((a) => a.x), y: agents.map((a) => a.y), text: agents.map(hover), hovertemplate: "%{text}<extra></extra>",
    marker: { size: agents.map((a) => size * (0.6 + 0.6 * ((a.weight ?? 0) / most))), line: { color: colour("--card"), width: 1 }, ...marker },
  };
}

function byOpinion(agents) {
  const scale = [[0, colour("--loss")], [0.5, colour("--field")], [1, colour("--gain")]];
  const bar = { thickness: 8, len: 0.8, outlinewidth: 0, tickvals: [-1, 0, 1], ticktext: ["short", "flat", "long"] };
  return dots(agents, { color: agents.map((a) => a.opinion), cmin: -1, cmax: 1, colorscale: scale, showscale: true, colorbar: bar });
}

function byStrategy(agents) {
  const strategies = [...new Set(agents.map((agent) => agent.strategy))];
  return strategies.map((strategy, n) => dots(agents.filter((a) => a.strategy === strategy), { color: PALETTE[n % PALETTE.length] }, literal(words(strategy))));
}

// Those of the decision's own source, else of any other that tells of its symbol.
function barsOf({ source, symbol }) {
  const other = [...bars.keys()].find((key) => key.endsWith(` · ${symbol}`));
  return bars.get(`${source} · ${symbol}`) || bars.get(other) || [];
}

function candles(decision) {
  const own = decision ? barsOf(decision) : [];
  $("bars-title").textContent = own.length ? `Bars of ${decision.symbol}, ${own.at(-1).interval}` : "Bars";
  if (own.length < 2) {
    if (isNews("bars-figure", "none")) put("bars-figure", el("p", { class: "none" }, "None has been told of the decision's symbol yet."));
    return;
  }
  if (isNews("bars-figure", "line")) put("bars-figure");
  const of = (name) => own.map((bar) => Number(bar[name]));
  const trace = () => ({
    type: "candlestick", x: own.map((bar) => bar.time), open: of("open"), high: of("high"), low: of("low"), close: of("close"),
    increasing: { line: { color: colour("--gain"), width: 1 } }, decreasing: { line: { color: colour("--loss"), width: 1 } },
  });
  draw("bars-figure", [decision.symbol, own.length, own.at(-1)], () => [
    [trace()], frame({ showlegend: false, xaxis: { rangeslider: { visible: false } }, yaxis: { side: "right" } }),
  ]);
}
