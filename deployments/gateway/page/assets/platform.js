// Panels of the platform: sessions with what they decided, models with their drift, jobs with their progress.
import { post } from "/assets/api.js";
import { confirm } from "/assets/confirm.js";
import { el, isNews, put } from "/assets/dom.js";
import { chip, table } from "/assets/table.js";
import { clock, day, time, words } from "/assets/text.js";

const STATE = { succeeded: "good", failed: "bad", running: "warn", cancelled: "dim" };

export function showModels(list) {
  if (!isNews("models-body", list)) return;
  put("models-body", table([
    { title: "Model", cell: (m) => el("strong", {}, m.alias ? `${m.name}@${m.alias}` : m.name), text: true },
    { title: "Version", cell: (m) => `${m.version} of ${m.versions}` },
    { title: "Trained until", cell: (m) => day(m.trained_until), kind: "minor" },
    { title: "Bars since", cell: (m) => String(m.drift.bars), kind: "minor" },
    { title: "Drift", cell: drift, text: true },
  ], list.models.map((model) => ({ ...model, key: `${model.name}@${model.alias}` })), "Models", "No model is registered."));
}

function drift(model) {
  const { reasons, refused } = model.drift;
  const verdict = refused ? ["not known", "dim"] : reasons.length ? ["drifted", "bad"] : ["steady", "good"];
  const told = refused || reasons.join("; ");
  const asked = model.asked && (model.is_met ? "Trained anew; the challenger waits for its promotion." : `Retraining was asked for: ${model.asked}.`);
  return [chip(...verdict), ...[told, asked].filter(Boolean).map((text) => el("p", { class: "note" }, text))];
}

const CONDITION = { traded: "good", beginning: "dim", ended: "dim", failed: "bad", in_doubt: "bad" };

export function showSessions(list) {
  const rows = list.sessions.map((session) => ({ ...session, key: session.session }));
  if (!isNews("sessions-body", rows)) return;
  put("sessions-body", table([
    { title: "Strategy", cell: (s) => el("strong", {}, words(s.strategy)), text: true },
    { title: "Account", cell: (s) => s.account, text: true },
    { title: "State", cell: standing, text: true, kind: "told" },
    { title: "Last decision (UTC)", cell: decision, text: true, kind: "told" },
    { title: "Started (UTC)", cell: begun, text: true, kind: "minor told" },
  ], rows, "Live sessions", "No strategy trades an account by itself."));
}

const note = (text) => (text ? el("p", { class: "note" }, text) : null);

function standing(session) {
  const missing = session.missing.length ? `No price of ${session.missing.join(", ")}.` : "";
  return [chip(words(session.condition), CONDITION[session.condition] || "warn"), note(session.sentence), note(missing)];
}

function decision(session) {
  const orders = session.orders.map((o) => `${o.side} ${o.quantity} ${o.symbol}: ${o.status}${o.rule ? ` (${words(o.rule)})` : ""}`);
  const told = session.bar ? orders.join("; ") || "No order." : "";
  return [session.bar ? el("time", { title: session.bar }, clock(session.bar)) : "\u2013", note(told)];
}

function begun(session) {
  return [el("time", { datetime: session.started, title: time(session.started) }, clock(session.started)), note(`${session.who}: ${session.reason}`)];
}

// `mayCancel`: whether jobs may be changed; all that are shown are one's own, or one is an admin. `after`: once one was.
export function showJobs(page, mayCancel, after) {
  const rows = page.jobs.map((job) => ({ ...job, key: job.id }));
  if (!isNews("jobs-body", rows, mayCancel)) return;
  put("jobs-body", table([
    { title: "Job", cell: (j) => el("strong", {}, j.kind), text: true },
    { title: "State", cell: (j) => [chip(j.state, STATE[j.state]), j.error ? el("p", { class: "note" }, j.error.message) : null], text: true },
    { title: "Progress", cell: progress },
    { title: "Since (UTC)", cell: (j) => el("time", { datetime: j.started || j.created, title: time(j.started || j.created) }, clock(j.started || j.created)), text: true, kind: "minor" },
    { title: "By", cell: (j) => j.owner, text: true, kind: "minor" },
    ...(mayCancel ? [{ title: "", cell: (j) => stop(j, after) }] : []),
  ], rows, "Jobs", "No job yet."));
}

function stop(job, after) {
  if (job.state !== "queued" && job.state !== "running") return "";
  if (job.cancel_asked) return "ending";
  const button = el("button", { type: "button", "aria-label": `Cancel ${job.id}` }, "Cancel");
  button.onclick = () => confirm({
    title: `Cancel this ${job.kind}?`,
    text: `${job.id} ends where it next reports progress. What it has not finished is lost.`,
    yes: "Cancel job",
    no: "Let it run",
    isDanger: true,
    act: async () => {
      await post(`/jobs/${encodeURIComponent(job.id)}/cancel`, {});
      after();
    },
  });
  return button;
}

function progress(job) {
  if (!job.total) return "\u2013";
  const bar = el("progress", { max: String(job.total), value: String(job.done), "aria-label": `${job.kind}: ${job.done} of ${job.total}` });
  return el("span", { class: "progress" }, bar, ` ${Math.round((100 * job.done) / job.total)}\u00a0%`);
}
