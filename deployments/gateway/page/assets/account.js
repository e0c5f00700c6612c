// Panels of one account: tiles, equity, positions, orders, limits.
import { $, count, el, money, percent, put, table, time, tone, words } from "/assets/dom.js";
import { lines } from "/assets/figures.js";

const STATE = { filled: "gain", denied: "loss", rejected: "loss", canceled: "muted", expired: "muted" };

export function showAccount(board) {
  tiles(board);
  halted(board);
  equity(board);
  put("positions-body", table([
    ["Symbol", (p) => p.symbol, "t"],
    ["Quantity", (p) => count(p.quantity)],
    ["Price", (p) => money(p.price)],
    ["Value", (p) => money(p.value)],
    ["Gain", (p) => el("span", { class: tone(p.gain) }, money(p.gain))],
  ], board.positions, "Positions", "Nothing is held."));
  put("orders-body", table([
    ["Time (UTC)", (o) => time(o.time), "t"],
    ["Symbol", (o) => o.symbol, "t"],
    ["Order", (o) => `${o.side} ${words(o.type)}`, "t"],
    ["Quantity", (o) => count(o.quantity)],
    ["Limit", (o) => money(o.limit_price)],
    ["Filled", (o) => count(o.filled)],
    ["State", (o) => el("span", { class: STATE[o.status] || "" }, words(o.status)), "t"],
    ["Strategy", (o) => o.strategy, "t"],
    ["Why", (o) => [o.rule && words(o.rule), o.reason].filter(Boolean).join(": "), "t why"],
  ], board.orders.map((o) => ({ ...o, key: o.client_order_id })), "Orders", "No order yet."));
  risk(board);
}

function tiles(board) {
  const day = Number(board.equity) - Number(board.day_start_equity);
  const shown = [
    ["Equity", money(board.equity), ""],
    ["Today", money(day), tone(day)],
    ["Cash", money(board.cash), ""],
    ["Buying power", money(board.buying_power), ""],
    ["Open orders", String(board.orders.filter((o) => o.is_open).length), ""],
    ["As of (UTC)", time(board.time).slice(11), ""],
  ];
  put("tiles", ...shown.map(([name, value, kind]) => el("div", { class: "tile" }, el("span", {}, name), el("strong", { class: kind }, value))));
}

function halted(board) {
  const told = Object.entries(board.halts).map(([scope, why]) => `Trading is stopped (${scope}): ${why}`);
  if (board.breaker.length) told.push("Loss limits have tripped: " + board.breaker.map(words).join(", "));
  $("halted").hidden = !told.length;
  const text = told.join(" · ");
  if ($("halted").textContent !== text) $("halted").textContent = text;
}

function equity(board) {
  const { times, equity: values } = board.curve;
  if (times.length < 2) {
    put("equity-body", el("p", { class: "none" }, "Not enough has been noted yet to draw a line."));
    return;
  }
  lines(figure("equity-body", "equity-figure"), [{ name: `equity, ${board.currency}`, x: times, y: values }]);
}

function risk(board) {
  const rows = board.limits.filter((l) => l.value !== null);
  const level = `Value at risk (${percent(board.var_confidence).replace(".00", "")})`;
  put("risk-body", table([
    ["Limit", (l) => words(l.name), "t"],
    ["Used", (l) => percent(l.value)],
    ["Of", (l) => percent(l.limit)],
    ["Left", (l) => el("span", { class: l.left !== null && l.left < 0 ? "loss" : "" }, percent(l.left))],
    ["", meter],
  ], rows, "Limits", "No limit is known."),
  el("p", { class: "muted" }, board.var === null ? level + ": no scenarios of what is held are loaded (max_var is not set)." : level + ": " + percent(board.var) + " of equity"));
}

function meter(limit) {
  if (!limit.limit) return "";
  const share = limit.value / limit.limit;
  const fill = el("i", { class: share > 1 ? "over" : share > 0.8 ? "near" : "" });
  fill.style.width = Math.min(100, Math.max(0, share * 100)) + "%";
  return el("span", { class: "meter", role: "img", "aria-label": `${words(limit.name)}: ${percent(share)} of the limit` }, fill);
}

export function figure(body, id) {
  if (!$(id)) put(body, el("div", { id }));
  return $(id);
}
