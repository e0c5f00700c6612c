// Calls of the platform's own API. Credentials lie in this tab's session alone, and are sent to this origin alone.
const KEY = "nt-ray-key";
const TOKENS = "nt-ray-tokens";

export class Refused extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

const tokens = () => JSON.parse(sessionStorage.getItem(TOKENS) || "null");

export const isSignedIn = () => sessionStorage.getItem(KEY) !== null || sessionStorage.getItem(TOKENS) !== null;
export const token = () => tokens()?.access_token || sessionStorage.getItem(KEY) || "";
export const setKey = (key) => sessionStorage.setItem(KEY, key);

export async function logIn(username, password) {
  await grant({ grant_type: "password", username, password });
}

let leaving = new AbortController(); // Ends what is still on its way when somebody signs out.

export async function forget() {
  const held = tokens();
  leaving.abort();
  leaving = new AbortController();
  sessionStorage.removeItem(KEY);
  sessionStorage.removeItem(TOKENS);
  known.clear();
  if (held) await form("/auth/revoke", { token: held.refresh_token }).catch(() => {});
}

const known = new Map(); // The last answer and its ETag by path: what has not changed is not sent again.

export async function get(path) {
  const before = known.get(path);
  const answer = await ask(path, { headers: before ? { "If-None-Match": before.etag } : {} });
  if (answer.status === 304) return before.body;
  const body = await answer.json();
  const etag = answer.headers.get("ETag");
  if (etag) known.set(path, { etag, body });
  return body;
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

async function ask(path, options) {
  try {
    return await send(path, authorised(options));
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 401 || !tokens()) throw error;
    await refresh();
    return send(path, authorised(options));
  }
}

const authorised = (options) => ({ ...options, headers: { ...options.headers, Authorization: "Bearer " + token() } });

let refreshing = null; // A refresh token holds once, so calls that are refused together share one.

function refresh() {
  refreshing ??= grant({ grant_type: "refresh_token", refresh_token: tokens().refresh_token }).finally(() => { refreshing = null; });
  return refreshing;
}

async function grant(fields) {
  const answer = await form("/auth/token", fields);
  sessionStorage.setItem(TOKENS, JSON.stringify(await answer.json()));
}

const form = (path, fields) => send(path, { method: "POST", body: new URLSearchParams(fields) });

// Browsers say in words of their own that nobody answers.
async function fetched(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The gateway does not answer.");
  }
}

async function send(path, options) {
  const answer = await fetched("/api/v1" + path, { ...options, cache: "no-store", credentials: "omit", signal: leaving.signal });
  if (answer.ok || answer.status === 304) return answer;
  let told = {};
  try {
    told = await answer.json();
  } catch {
    // A refusal without a body says enough by its status.
  }
  throw new Refused(answer.status, told.code || "", told.detail || "The server answered " + answer.status + ".");
}
