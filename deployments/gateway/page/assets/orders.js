// Orders, newest first, with their state and, where they were refused, the rule and the reason.
import { $, el, isNews, put } from "/assets/dom.js";
import { chip, choice, table } from "/assets/table.js";
import { clock, count, price, time, words } from "/assets/text.js";

const TONE = { filled: "good", partially_filled: "good", denied: "bad", rejected: "bad", canceled: "dim", expired: "dim", replaced: "dim" };
const REFUSED = ["denied", "rejected"];
const KINDS = { all: () => true, open: (order) => order.is_open, refused: (order) => REFUSED.includes(order.status) };
const NOTHING = { all: "No order yet.", open: "No order is open.", refused: "None of these orders was denied or rejected." };

let kind = "all";
let orders = [];

export function showOrders(board) {
  orders = board.orders.map((order) => ({ ...order, key: order.client_order_id }));
  const counts = Object.fromEntries(Object.entries(KINDS).map(([name, has]) => [name, orders.filter(has).length]));
  if (isNews("orders-kinds", counts)) {
    const options = [["all", `Newest ${counts.all}`], ["open", `Open ${counts.open}`], ["refused", `Refused ${counts.refused}`]];
    // The pressed button keeps the focus where it has it.
    const at = [...$("orders-kinds").querySelectorAll("button")].indexOf(document.activeElement);
    choice($("orders-kinds"), "Orders shown", options, kind, (chosen) => {
      kind = chosen;
      list();
    });
    if (at >= 0) $("orders-kinds").querySelectorAll("button")[at].focus();
  }
  list();
}

function list() {
  const rows = orders.filter(KINDS[kind]);
  if (!isNews("orders-body", kind, rows)) return;
  put("orders-body", table([
    { title: "Time (UTC)", cell: (o) => el("time", { datetime: o.time, title: time(o.time) }, clock(o.time)), text: true, kind: "when" },
    { title: "Symbol", cell: (o) => el("strong", {}, o.symbol), text: true, kind: "what" },
    { title: "Order", cell: (o) => `${o.side} ${words(o.type)}`, text: true, kind: "how" },
    { title: "Quantity", cell: (o) => (o.notional ? price(o.notional) + " of money" : count(o.quantity)), kind: "quantity" },
    { title: "Price", cell: (o) => price(o.limit_price ?? o.stop_price), kind: "price" },
    { title: "Filled", cell: (o) => count(o.filled), kind: "filled" },
    { title: "State", cell: (o) => chip(words(o.status), TONE[o.status] || "warn"), text: true, kind: "state" },
    { title: "Strategy", cell: (o) => o.strategy, text: true, kind: "strategy" },
    { title: "Why", cell: (o) => [o.rule && words(o.rule), o.reason].filter(Boolean).join(": "), text: true, kind: "why" },
  ], rows, "Orders", NOTHING[kind]));
}
