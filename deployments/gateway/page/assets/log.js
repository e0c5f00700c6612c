// The newest lines of the log. Replicas answer in turn, each with its own lines and numbers, so lines are put together by
// their time, each once.
import { $, el, isNews, put } from "/assets/dom.js";
import { choice } from "/assets/table.js";
import { time } from "/assets/text.js";

const MOST = 300;
const GRAVE = ["warning", "error", "critical"];
const LEFT_OUT = ["timestamp", "level", "module", "message", "exception", "span_id"];
const kept = new Map(); // Lines by their text, oldest first.
let graveAlone = false;

export function takeLines(page) {
  for (const line of page.lines) if (!kept.has(line.text)) kept.set(line.text, read(line.text));
  const newest = [...kept].sort(([, a], [, b]) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0)).slice(-MOST);
  kept.clear();
  for (const [text, line] of newest) kept.set(text, line);
  if (!$("log-kinds").childElementCount) {
    choice($("log-kinds"), "Lines shown", [["all", "All"], ["grave", "Warnings and errors"]], "all", (value) => {
      graveAlone = value === "grave";
      show();
    });
  }
  show();
}

export function forgetLines() {
  kept.clear();
  graveAlone = false;
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { timestamp: "", level: "", module: "", message: text };
  }
}

function show() {
  const lines = [...kept.values()].filter((line) => !graveAlone || GRAVE.includes(line.level));
  if (!isNews("logs-body", graveAlone, lines.length, lines.at(-1), lines[0])) return;
  if (!lines.length) {
    put("logs-body", el("p", { class: "none" }, graveAlone ? "No warning and no error." : "Nothing has been logged."));
    return;
  }
  put("logs-body", el("div", { class: "scroll tail", tabindex: "0", role: "region", "aria-label": "Log" }, el("ol", { class: "log" }, lines.map(row))));
}

function row(line) {
  const more = Object.entries(line).filter(([name, value]) => !LEFT_OUT.includes(name) && value !== "").map(([name, value]) => `${name}=${value}`);
  return el("li", { class: GRAVE.includes(line.level) ? line.level : null },
    el("time", {}, time(line.timestamp).slice(11) || "\u2013"), el("b", {}, line.level || ""), el("span", {}, [line.module, line.message, ...more, line.exception].filter(Boolean).join("  ")));
}
