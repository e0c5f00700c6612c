// Numbers and times as they are read. Money arrives as exact text and is rounded only here, to be shown.
const NONE = "\u2013";
const MINUS = "\u2212";
const formats = new Map();

function digits(least, most) {
  const key = `${least}-${most}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most }));
  return formats.get(key);
}

const isNone = (value) => value === null || value === undefined || value === "";
const shown = (value, least, most) => (isNone(value) ? NONE : digits(least, most).format(value).replace("-", MINUS));

export const money = (value) => shown(value, 2, 2);
export const price = (value) => shown(value, 2, 8);
export const count = (value) => shown(value, 0, 12);
export const plain = (value, places = 2) => shown(value, places, places);
export const gain = (value) => (Number(value) > 0 ? "+" : "") + money(value);
export const percent = (share, places = 2) => (isNone(share) ? NONE : shown(share * 100, places, places) + "\u00a0%");
export const change = (share) => (share > 0 ? "+" : "") + percent(share);
export const tone = (value) => (Number(value) < 0 ? "loss" : Number(value) > 0 ? "gain" : "");
export const words = (name) => name.replace(/^max_/, "").replaceAll("_", " ");
export const time = (text) => (text ? text.replace("T", " ").slice(0, 19) : NONE);
export const day = (text) => (text ? text.slice(0, 10) : NONE);

// The time of day alone where that is today's, all in UTC.
export function clock(text) {
  if (!text) return NONE;
  return text.slice(0, 10) === new Date().toISOString().slice(0, 10) ? text.slice(11, 19) : text.slice(5, 16).replace("T", " ");
}
