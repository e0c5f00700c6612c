// Panels of the platform: newest run and swarm, models, jobs, log.
import { figure } from "/assets/account.js";
import { el, percent, put, table, time, words } from "/assets/dom.js";
import { graph, lines } from "/assets/figures.js";

const STATE = { succeeded: "gain", failed: "loss", running: "warn" };

export function showRun(run) {
  lines(figure("run-body", "run-figure"), [
    { name: run.name, x: run.times, y: run.equity },
    { name: run.benchmark_name, x: run.times, y: run.benchmark },
  ]);
  const best = [...run.agents].sort((a, b) => (b.contribution ?? -Infinity) - (a.contribution ?? -Infinity));
  if (!document.getElementById("swarm-figure")) put("swarm-body", el("div", { id: "swarm-figure" }), el("div", { id: "swarm-table" }));
  graph(document.getElementById("swarm-figure"), run);
  put("swarm-table", table([
    ["Agent", (a) => a.name, "t"],
    ["Strategy", (a) => words(a.strategy), "t"],
    ["Weight", (a) => (a.weight === null ? "–" : a.weight.toFixed(3))],
    ["Own return", (a) => percent(a.contribution)],
  ], best, `Agents of ${run.run}, ${run.topology}`, "The run had no agents."));
}

export function showModels(list) {
  put("models-body", table([
    ["Model", (m) => m.name, "t"],
    ["Versions", (m) => String(m.versions.length)],
    ["Aliases", (m) => Object.entries(m.aliases).map(([alias, version]) => `${alias} ${version}`).join(", ") || "–", "t"],
  ], list.models, "Models", "No model is registered."));
}

export function showJobs(page) {
  put("jobs-body", table([
    ["Job", (j) => j.kind, "t"],
    ["By", (j) => j.owner, "t"],
    ["Since (UTC)", (j) => time(j.started || j.created), "t"],
    ["Progress", progress],
    ["State", (j) => el("span", { class: STATE[j.state] || "" }, j.error ? `${j.state}: ${j.error.message}` : j.state), "t why"],
  ], page.jobs.map((j) => ({ ...j, key: j.id })), "Jobs", "No job yet."));
}

function progress(job) {
  if (!job.total) return "–";
  const bar = el("progress", { max: String(job.total), value: String(job.done), "aria-label": `${job.kind}: ${job.done} of ${job.total}` });
  return el("span", {}, bar, ` ${Math.round((100 * job.done) / job.total)} %`);
}

export function logTail(most = 200) {
  const kept = [];
  return function show(page) {
    for (const line of page.lines) kept.push(text(line.text));
    kept.splice(0, Math.max(0, kept.length - most));
    const shown = el("pre", {}, kept.length ? kept.join("\n") : "Nothing has been logged.");
    put("logs-body", el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Log" }, shown));
    return page.last;
  };
}

function text(line) {
  const told = JSON.parse(line);
  const ids = ["request_id", "order_id", "trace_id"].filter((name) => told[name]).map((name) => `${name}=${told[name]}`);
  return [time(told.timestamp), told.level, told.module, told.message, ...ids, told.exception].filter(Boolean).join("  ");
}
