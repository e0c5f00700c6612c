// Elements and texts. What comes from the server is only ever set as text, never as HTML.
export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Replaces what a place shows; where its scrolled region stood, and whether it or a named button had the focus, stays.
export function put(id, ...nodes) {
  const place = $(id);
  const region = place.querySelector(".scroll");
  const [top, left] = region ? [region.scrollTop, region.scrollLeft] : [0, 0];
  const atEnd = region !== null && region.scrollHeight - region.clientHeight - top < 8;
  const active = document.activeElement;
  const focused = region !== null && active === region;
  const named = active?.tagName === "BUTTON" && place.contains(active) ? active.getAttribute("aria-label") : null;
  place.replaceChildren(...nodes.filter((node) => node !== null));
  if (named) place.querySelector(`button[aria-label="${CSS.escape(named)}"]`)?.focus({ preventScroll: true });
  const fresh = place.querySelector(".scroll");
  if (!fresh) return;
  fresh.scrollTop = fresh.classList.contains("tail") && (atEnd || !region) ? fresh.scrollHeight : top;
  fresh.scrollLeft = left;
  if (focused) fresh.focus({ preventScroll: true });
}

const seen = new Map();

// Whether a place shows something else than this; it is taken to show this from now on.
export function isNews(id, ...data) {
  const now = JSON.stringify(data);
  if (seen.get(id) === now) return false;
  seen.set(id, now);
  return true;
}

export function say(id, text, kind = "none") {
  seen.delete(id);
  put(id, el("p", { class: kind }, text));
}

export function empty(...ids) {
  for (const id of ids) {
    seen.delete(id);
    $(id).replaceChildren();
  }
}
