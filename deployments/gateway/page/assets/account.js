// Panels of one account: figures at a glance, positions, equity beside its benchmark.
import { el, isNews, put } from "/assets/dom.js";
import { lines } from "/assets/figures.js";
import { meter, table, toned } from "/assets/table.js";
import { change, clock, count, gain, money, percent, price, tone } from "/assets/text.js";

export function showGlance(board) {
  const equity = Number(board.equity), start = Number(board.day_start_equity);
  const day = equity - start;
  const gross = board.positions.reduce((sum, position) => sum + Math.abs(Number(position.value)), 0);
  const tiles = [
    [`Equity, ${board.currency}`, money(board.equity), ""],
    ["Today (UTC)", gain(day), tone(day), start > 0 ? change(day / start) : ""],
    ["Cash", money(board.cash), ""],
    ["Buying power", money(board.buying_power), ""],
    ["Invested", money(gross), "", equity > 0 ? percent(gross / equity) : ""],
    ["Open orders", String(board.open), ""],
  ];
  if (!isNews("tiles", tiles)) return;
  put("tiles", ...tiles.map(([name, value, kind, more]) =>
    el("div", { class: "tile" }, el("dt", {}, name), el("dd", { class: kind || null }, value, more ? el("small", {}, more) : null))));
}

export function showPositions(board) {
  const rows = board.positions.map((position) => ({ ...position, key: position.symbol }));
  if (!isNews("positions-body", rows, board.equity)) return;
  const share = (position) => (Number(board.equity) > 0 ? Number(position.value) / Number(board.equity) : null);
  put("positions-body", table([
    { title: "Symbol", cell: (p) => el("strong", {}, p.symbol), text: true },
    { title: "Quantity", cell: (p) => count(p.quantity) },
    { title: "Price", cell: (p) => price(p.price) },
    { title: "Value", cell: (p) => money(p.value) },
    { title: "Of equity", cell: (p) => percent(share(p)), kind: "minor" },
    { title: "Gain", cell: (p) => toned(p.gain === null ? money(null) : gain(p.gain), tone(p.gain)) },
    { title: "Gain %", cell: (p) => toned(rate(p), tone(p.gain)), kind: "minor" },
  ], rows, "Positions", "Nothing is held."));
}

const rate = (position) => (position.gain === null || !Number(position.cost) ? percent(null) : change(Number(position.gain) / Math.abs(Number(position.cost))));

export function showRisk(board) {
  const rows = board.limits.filter((limit) => limit.value !== null);
  if (!isNews("risk-body", rows)) return;
  put("risk-body", table([
    { title: "Limit", cell: (l) => NAMES[l.name] || l.name, text: true },
    { title: "Used", cell: (l) => percent(l.value) },
    { title: "Of", cell: (l) => percent(l.limit) },
    { title: "Left", cell: (l) => toned(percent(l.left), l.left !== null && l.left < 0 ? "loss" : "") },
    { title: "", cell: (l) => (l.limit ? meter(l.value / l.limit, l.left < 0 ? "over" : l.left < 0.2 * l.limit ? "near" : "") : ""), kind: "minor" },
  ], rows, "Limits", "No limit is known."));
}

const NAMES = {
  max_gross_exposure: "Gross exposure", max_net_exposure: "Net exposure", max_concentration: "Concentration",
  max_daily_loss: "Loss today", max_drawdown: "Drawdown", max_heat: "Heat", max_var: "Value at risk",
};

const METHODS = { historical: "Historical", normal: "Normal", student_t: "Student t", monte_carlo_t: "Monte Carlo t" };

export function showTails(tails) {
  if (!isNews("tails-body", tails)) return;
  if (!tails.rows.length) {
    put("tails-body", el("p", { class: "none" }, tails.refused || "Nothing is held, so nothing is at risk."));
    return;
  }
  const levels = [...new Set(tails.rows.map((row) => row.confidence))];
  const methods = [...new Set(tails.rows.map((row) => row.method))];
  const at = (method, level) => tails.rows.find((row) => row.method === method && row.confidence === level);
  const columns = levels.flatMap((level) => ["VaR", "ES"].map((name) => ({
    title: `${name} ${percent(level, 0)}`, cell: (method) => percent(at(method.key, level)[name.toLowerCase()]),
  })));
  put("tails-body",
    table([{ title: "One day", cell: (m) => METHODS[m.key] || m.key, text: true }, ...columns], methods.map((key) => ({ key })), "Value at risk and expected shortfall", ""),
    el("p", { class: "note" }, `Of equity, over ${tails.periods} past periods until ${tails.until}.`));
}

export function showEquity(curve) {
  if (curve.times.length < 2) {
    if (isNews("equity-figure", "few")) put("equity-figure", el("p", { class: "none" }, "A line appears once the account has been marked for two minutes."));
    return;
  }
  if (isNews("equity-figure", "line")) put("equity-figure");
  const series = [{ name: "Equity", x: curve.times, y: curve.equity }];
  if (curve.benchmark.some((value) => value !== null)) series.push({ name: `${curve.benchmark_name} (${some(curve.symbols)})`, x: curve.times, y: curve.benchmark });
  lines("equity-figure", series);
}

const some = (names, most = 4) => names.slice(0, most).join(", ") + (names.length > most ? ` and ${names.length - most} more` : "");

export const asOf = (board) => `as of ${clock(board.time)} UTC`;
