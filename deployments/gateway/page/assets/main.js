// Signs in, then asks each panel's route at its own pace; a hidden page asks nothing.
import { showAccount } from "/assets/account.js";
import { Refused, forget, get, isSignedIn, logIn, post, setKey } from "/assets/api.js";
import { confirm } from "/assets/confirm.js";
import { $, el, put } from "/assets/dom.js";
import { Live } from "/assets/live.js";
import { logTail, showJobs, showModels, showRun } from "/assets/platform.js";

const state = { account: "", me: null, board: null, timers: [], log: 0, live: null };
const tail = logTail();
const SOON_MS = 100;

// `every`: milliseconds between questions; `calm` while the stream tells of the channels in `on`.
const PANELS = [
  { every: 1000, calm: 5000, on: ["orders", "fills", "risk"], body: null, load: loadBoard },
  { every: 3000, calm: 10000, on: ["jobs"], body: "jobs-body", scope: "jobs:read", load: async () => showJobs(await get("/jobs?limit=20")) },
  { every: 3000, body: "logs-body", scope: "config:read", load: async () => { state.log = tail(await get(`/logs?after=${state.log}`)); } },
  { every: 15000, body: "models-body", scope: "models:read", load: async () => showModels(await get("/models")) },
  { every: 15000, body: "run-body", also: "swarm-body", scope: "runs:read", load: async () => showRun(await get("/dashboard/run")) },
];

async function loadBoard() {
  if (!state.account) return;
  try {
    state.board = await get(`/dashboard/accounts/${encodeURIComponent(state.account)}`);
    showAccount(state.board);
    showKill();
    live(state.live?.isOpen ? "live" : "polling", "good");
  } catch (error) {
    if (state.me) live(error instanceof Refused ? "refused" : "connection lost", "bad");
    throw error;
  }
}

function live(text, kind) {
  $("live").textContent = text;
  $("live").className = "chip " + kind;
}

function run(panel) {
  let busy = false, again = false, last = 0;
  const step = async () => {
    if (document.hidden || !state.me) return;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    last = Date.now();
    try {
      await panel.load();
    } catch (error) {
      if (!state.me) return;
      if (error instanceof Refused && error.status === 401) signOut(error.message);
      else if (panel.body) for (const id of [panel.body, panel.also].filter(Boolean)) put(id, el("p", { class: "none" }, error.message));
    } finally {
      busy = false;
      // What happened while an answer was on its way may not be in it.
      if (again && state.me) setTimeout(step, SOON_MS);
    }
  };
  panel.soon = step;
  step();
  const isDue = () => Date.now() - last >= (panel.calm && state.live?.isOpen ? panel.calm : panel.every);
  state.timers.push(setInterval(() => isDue() && step(), panel.every));
}

function happened(channel, account) {
  for (const panel of PANELS) {
    if (panel.on?.includes(channel) && (!account || account === state.account || channel === "jobs")) panel.soon?.();
  }
}

async function signIn() {
  state.me = await get("/me");
  const { accounts } = await get("/accounts");
  $("login").hidden = true;
  $("app").hidden = false;
  $("who").textContent = `${state.me.id} (${state.me.role.replace("_", " ")})`;
  $("account").replaceChildren(...accounts.map((name) => el("option", { value: name }, name)));
  state.account = accounts[0] || "";
  if (!state.account) {
    live("no account", "bad");
    put("tiles");
    for (const id of ["equity-body", "positions-body", "orders-body", "risk-body"]) put(id, el("p", { class: "none" }, "No account runs, or none is yours."));
  }
  for (const panel of PANELS) {
    if (!panel.scope || state.me.scopes.includes(panel.scope)) run(panel);
    else put(panel.body, el("p", { class: "none" }, `Your role or key does not show this (${panel.scope}).`));
  }
  state.live = new Live(state.me.scopes, happened, () => PANELS[0].soon());
}

function signOut(why = "") {
  state.timers.splice(0).forEach(clearInterval);
  state.live?.end();
  forget();
  state.me = state.board = state.live = null;
  if ($("confirm").open) $("confirm").close();
  $("app").hidden = true;
  $("login").hidden = false;
  $("login-error").textContent = why;
  $("key").value = $("password").value = "";
  $("name").focus();
}

function showKill() {
  const mayKill = state.me.scopes.includes("kill:write");
  const stopped = "account" in state.board.halts;
  $("kill").hidden = !mayKill;
  $("kill").textContent = stopped ? "Resume trading" : "Stop trading";
}

function kill() {
  const stopped = "account" in state.board.halts;
  const account = state.account;
  confirm({
    title: stopped ? `Resume trading in ${account}?` : `Stop trading in ${account}?`,
    text: stopped
      ? "Orders are let through again, as far as the limits allow."
      : "Every open order is cancelled and no new one passes until trading is resumed. Positions stay.",
    yes: stopped ? "Resume trading" : "Stop trading",
    act: async (reason) => {
      await post(`/dashboard/accounts/${encodeURIComponent(account)}/${stopped ? "resume" : "halt"}`, { scope: "account", reason });
      await loadBoard();
    },
  });
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = $("key").value.trim();
  try {
    if (key) setKey(key);
    else await logIn($("name").value.trim(), $("password").value);
    $("key").value = $("password").value = "";
    await signIn();
    $("content").focus({ preventScroll: true });
  } catch (error) {
    signOut(error.message);
  }
});
$("logout").addEventListener("click", () => signOut());
$("kill").addEventListener("click", kill);
$("account").addEventListener("change", () => {
  state.account = $("account").value;
  loadBoard().catch(() => {});
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state.board && showAccount(state.board));

if (isSignedIn()) signIn().catch((error) => signOut(error.message));
else signOut();
