// The kill switch: its button, what is stopped at the moment, and how each scope is let go on.
import { post } from "/assets/api.js";
import { confirm } from "/assets/confirm.js";
import { $, el, isNews } from "/assets/dom.js";
import { words } from "/assets/text.js";

// `after` is called once a switch was turned.
export function showHalts(board, mayKill, after) {
  const stopped = "account" in board.halts;
  $("kill").hidden = !mayKill;
  $("kill").textContent = stopped ? "Resume trading" : "Stop trading";
  $("kill").className = stopped ? "" : "danger";
  $("kill").onclick = () => turn(board.account, "account", stopped, after, board.open);
  const rows = Object.entries(board.halts);
  $("halted").hidden = !rows.length && !board.breaker.length;
  if (!isNews("halted", board.account, rows, board.breaker, mayKill)) return;
  $("halted").replaceChildren(
    ...rows.map(([scope, why]) => el("p", {}, el("span", {}, el("strong", {}, `Stopped: ${scope}. `), why),
      mayKill && scope !== "account" ? lift(board.account, scope, after) : null)),
    ...(board.breaker.length ? [el("p", {}, el("strong", {}, `Loss limits have tripped: ${board.breaker.map(words).join(", ")}. `), "Only orders that reduce a position pass.")] : []),
  );
}

function lift(account, scope, after) {
  const button = el("button", { type: "button" }, `Resume ${scope}`);
  button.onclick = () => turn(account, scope, true, after);
  return button;
}

function turn(account, scope, stopped, after, open = 0) {
  const what = scope === "account" ? `trading in ${account}` : `${scope} in ${account}`;
  const verb = stopped ? "Resume" : "Stop";
  confirm({
    title: `${verb} ${what}?`,
    text: stopped
      ? "Orders are let through again, as far as the limits allow."
      : `Every open order (${open}) is cancelled and no new one passes until trading is resumed. Positions stay.`,
    yes: scope === "account" ? `${verb} trading` : `${verb} ${scope}`,
    isDanger: !stopped,
    asksWhy: true,
    act: async (reason) => {
      await post(`/dashboard/accounts/${encodeURIComponent(account)}/${stopped ? "resume" : "halt"}`, { scope, reason });
      after();
    },
  });
}
