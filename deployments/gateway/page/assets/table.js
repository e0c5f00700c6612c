// Tables: `columns` are { title, cell(row), text, kind }; `text` is set flush left, all else is a number.
import { el } from "/assets/dom.js";

export function table(columns, rows, label, none) {
  if (!rows.length) return el("p", { class: "none" }, none);
  const classes = (column) => [column.text ? "t" : "", column.kind || ""].filter(Boolean).join(" ") || null;
  const head = columns.map((column) => el("th", { scope: "col", role: "columnheader", class: classes(column) }, column.title));
  const body = rows.map((row) => el("tr", { role: "row", "data-key": row.key },
    columns.map((column) => el("td", { role: "cell", class: classes(column) }, column.cell(row)))));
  // Roles are said, since a narrow screen shows rows as blocks, which would take them away.
  const made = el("table", { role: "table", "aria-label": label },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)), el("tbody", { role: "rowgroup" }, body));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, made);
}

export const chip = (text, kind = "") => el("span", { class: `chip ${kind}`.trim() }, text);

export const toned = (text, kind) => el("span", { class: kind || null }, text);

// How much of a whole is used; its figure stands beside it, so it is not read out.
export function meter(share, kind = "") {
  const fill = el("i", { class: kind || null });
  fill.style.width = Math.min(100, Math.max(0, share * 100)) + "%";
  return el("span", { class: "meter", "aria-hidden": "true" }, fill);
}

// Buttons of which one is pressed; `chosen` is called with its value.
export function choice(place, label, options, value, chosen) {
  const buttons = options.map(([key, text]) => {
    const button = el("button", { type: "button", "aria-pressed": String(key === value) }, text);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      chosen(key);
    });
    return button;
  });
  place.replaceChildren(el("div", { class: "choice", role: "group", "aria-label": label }, buttons));
}
