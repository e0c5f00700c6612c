// Signs in and out, and keeps the panels of the chosen account going.
import { asOf, showEquity, showGlance, showPositions, showRisk, showTails } from "/assets/account.js";
import { Refused, forget, get, isSignedIn, logIn, setKey } from "/assets/api.js";
import { $, el, empty, isNews, say } from "/assets/dom.js";
import { repaint, wipe } from "/assets/figures.js";
import { showHalts } from "/assets/kill.js";
import { Live } from "/assets/live.js";
import { forgetLines, takeLines } from "/assets/log.js";
import { showOrders } from "/assets/orders.js";
import { Panel } from "/assets/panels.js";
import { showJobs, showModels, showSessions } from "/assets/platform.js";
import { barCame, decided, forgetSwarm, noRun, showRun } from "/assets/swarm.js";
import { choice } from "/assets/table.js";

const state = { account: "", me: null, board: null, live: null, days: 1 };
const BODIES = [
  "tiles", "equity-figure", "positions-body", "risk-body", "tails-body", "orders-kinds", "orders-body", "run-figure", "swarm-figure", "swarm-table",
  "decision", "decision-note", "run-note", "bars-figure", "sessions-body", "models-body", "jobs-body", "log-kinds", "logs-body", "halted", "as-of",
];

const own = (rest) => `/dashboard/accounts/${encodeURIComponent(state.account)}${rest}`;

// Asks about the chosen account; an answer that comes after another was chosen is dropped.
const of = (rest, show) => async () => {
  const account = state.account;
  if (!account) return;
  const found = await get(own(rest));
  if (account === state.account && state.me) show(found);
};

const PANELS = {
  board: new Panel({ every: 1000, calm: 5000, load: of("?orders=100", showBoard), failed: boardFailed }),
  equity: new Panel({ every: 15000, body: "equity-figure", load: async () => of(`/equity?days=${state.days}`, showEquity)() }),
  tails: new Panel({ every: 60000, body: "tails-body", load: of("/tails", showTails) }),
  jobs: new Panel({ every: 3000, calm: 10000, body: "jobs-body", load: listJobs }),
  sessions: new Panel({ every: 5000, body: "sessions-body", load: async () => showSessions(await get("/dashboard/sessions?limit=500")) }),
  logs: new Panel({ every: 3000, body: "logs-body", load: async () => takeLines(await get("/logs?limit=200")) }),
  models: new Panel({ every: 30000, body: "models-body", load: async () => showModels(await get("/dashboard/models?limit=500")) }),
  run: new Panel({ every: 15000, load: async () => showNewest((await get("/dashboard/run")).run), failed: runFailed }),
  accounts: new Panel({ every: 15000, load: async () => listAccounts((await get("/accounts?limit=500")).accounts) }),
};
const NEEDS = { tails: "risk:read", jobs: "jobs:read", sessions: "strategies:read", logs: "config:read", models: "models:read", run: "runs:read" };
const ASKS = { orders: ["board", "sessions"], fills: ["board"], risk: ["board"], jobs: ["jobs"] };

function showBoard(board) {
  state.board = board;
  showGlance(board);
  showPositions(board);
  showRisk(board);
  showOrders(board);
  // What is at risk is asked for again soon after what is held has changed.
  if (isNews("held", board.account, board.positions.map((p) => [p.symbol, p.quantity]))) PANELS.tails.within(5000);
  showHalts(board, state.me.scopes.includes("kill:write"), () => PANELS.board.soon());
  $("as-of").textContent = asOf(board);
  $("stale").hidden = true;
  status();
}

async function listJobs() {
  showJobs(await get("/jobs?limit=20"), state.me.scopes.includes("jobs:write"), () => PANELS.jobs.soon());
}

function showNewest(run) {
  if (run) showRun(run);
  else noRun("No swarm has finished a run yet.");
}

// The newest run is there, and cannot be read.
function runFailed(error) {
  if (error instanceof Refused && error.status === 404) noRun(error.message);
}

function boardFailed(error) {
  $("stale").hidden = false;
  $("stale").textContent = state.board ? `${error.message} What is shown is ${asOf(state.board)}.` : error.message;
  status(error instanceof Refused ? "refused" : "connection lost");
}

function status(trouble = "") {
  const [text, kind] = trouble ? [trouble, "bad"] : !state.account ? ["no account", "dim"] : state.live?.isOpen ? ["live", "good"] : ["polling", "warn"];
  if (!isNews("live", text)) return;
  $("live").textContent = text;
  $("live").className = `chip ${kind}`;
}

function happened(message) {
  if (message.type === "event" && message.channel === "decisions") decided(message);
  else if (message.type === "event" && message.channel === "bars") barCame(message);
  else if (!message.account || message.account === state.account) for (const name of ASKS[message.channel] || []) if (may(name)) PANELS[name].soon();
}

function listAccounts(names) {
  if (!isNews("account", names)) return;
  $("account").replaceChildren(...names.map((name) => el("option", { value: name }, name)));
  choose(names.includes(state.account) ? state.account : names[0] || "");
}

function choose(account) {
  $("account").value = account;
  if (account === state.account && account) return;
  state.account = account;
  state.board = null;
  // Nothing of the account before stays beside the name of another, its switch least of all.
  $("kill").hidden = $("halted").hidden = $("stale").hidden = true;
  empty("tiles", "equity-figure", "positions-body", "risk-body", "tails-body", "orders-kinds", "orders-body", "halted", "as-of");
  if (!account) for (const id of ["equity-figure", "positions-body", "orders-body", "risk-body"]) say(id, "No account runs, or none is yours.");
  for (const name of ["board", "equity", "tails"]) if (may(name)) PANELS[name].anew();
  status();
}

const may = (name) => !NEEDS[name] || state.me.scopes.includes(NEEDS[name]);

async function signIn() {
  state.me = await get("/me");
  const { accounts } = await get("/accounts");
  $("login").hidden = true;
  $("app").hidden = false;
  $("who").textContent = `${state.me.id} (${state.me.role.replace("_", " ")})`;
  choice($("equity-spans"), "Time shown", [[1, "1D"], [7, "1W"], [31, "1M"], [366, "1Y"]], state.days, (days) => {
    state.days = days;
    PANELS.equity.anew();
  });
  listAccounts(accounts);
  for (const [name, panel] of Object.entries(PANELS)) {
    if (may(name)) panel.begin(() => Boolean(state.live?.isOpen), signOut);
    else say(panel.body || "swarm-table", `Your role or key does not show this (${NEEDS[name]}).`);
  }
  state.live = new Live(state.me.scopes, happened, () => {
    status();
    PANELS.board.soon();
  });
}

function signOut(why = "") {
  for (const panel of Object.values(PANELS)) panel.end();
  state.live?.end();
  forget();
  Object.assign(state, { account: "", me: null, board: null, live: null });
  if ($("confirm").open) $("confirm").close();
  wipe();
  forgetSwarm();
  forgetLines();
  empty(...BODIES, "account", "live");
  $("who").textContent = "";
  $("app").hidden = true;
  $("login").hidden = false;
  $("login-error").textContent = why;
  $("key").value = $("password").value = "";
  $("name").focus();
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = $("key").value.trim();
  $("sign-in").disabled = true;
  try {
    if (key) setKey(key);
    else await logIn($("name").value.trim(), $("password").value);
    $("key").value = $("password").value = "";
    await signIn();
    $("content").focus({ preventScroll: true });
  } catch (error) {
    signOut(error.message);
  } finally {
    $("sign-in").disabled = false;
  }
});
$("logout").addEventListener("click", () => signOut());
$("account").addEventListener("change", () => choose($("account").value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && state.me) for (const [name, panel] of Object.entries(PANELS)) if (may(name)) panel.soon();
});

if (isSignedIn()) signIn().catch((error) => signOut(error.message));
else signOut();
