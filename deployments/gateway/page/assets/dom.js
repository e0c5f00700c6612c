// Elements and texts. What comes from the server is only ever set as text, never as HTML.
export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// `columns`: title, cell(row) giving text or a node, and a class; rows keep their order.
export function table(columns, rows, label, empty) {
  if (!rows.length) return el("p", { class: "none" }, empty);
  const head = el("tr", {}, ...columns.map(([title, , kind]) => el("th", { scope: "col", class: kind || "" }, title)));
  const body = rows.map((row) =>
    el("tr", row.key ? { "data-key": row.key } : {}, ...columns.map(([, cell, kind]) => el("td", { class: kind || "" }, cell(row)))));
  const made = el("table", { "aria-label": label }, el("thead", {}, head), el("tbody", {}, ...body));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, made);
}

export function put(id, ...nodes) {
  const place = $(id);
  const region = place.querySelector(".scroll");
  const [top, left] = region ? [region.scrollTop, region.scrollLeft] : [0, 0];
  const focused = region !== null && document.activeElement === region;
  place.replaceChildren(...nodes);
  const fresh = place.querySelector(".scroll");
  if (fresh) {
    fresh.scrollTop = top;
    fresh.scrollLeft = left;
    if (focused) fresh.focus({ preventScroll: true });
  }
}

const MINUS = "\u2212";
const number = (digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const TWO = number(2);
const signed = (text) => text.replace("-", MINUS);

export const money = (text) => (text === null ? "–" : signed(TWO.format(Number(text))));
export const count = (text) => signed(String(text).includes(".") ? String(text).replace(/\.?0+$/, "") : String(text));
export const percent = (share) => (share === null || share === undefined ? "–" : signed(TWO.format(share * 100)) + " %");
export const time = (text) => (text ? text.replace("T", " ").slice(0, 19) : "–");
export const tone = (value) => (Number(value) < 0 ? "loss" : Number(value) > 0 ? "gain" : "");
export const words = (name) => name.replace(/^max_/, "").replaceAll("_", " ");
