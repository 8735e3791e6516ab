// The list of this guest's orders, newest first; it keeps up while any of them is under way.

import { arrange, byId, el, named } from "./dom.js";
import { repeat } from "./http.js";
import { asGuest, guest } from "./identity.js";
import { dayAndClock, localName, money, t } from "./language.js";
import { orderSummary, stateMark } from "./order-view.js";
import { connection, customerShell } from "./shell.js";

const LOOK_MS = 3_000;
const STEP = 20;
const MOST = 200;

let limit = STEP;
let stores = {};

customerShell("my.title");

async function look() {
  const { subject } = await guest();
  const query = new URLSearchParams({ customer_id: subject, limit });
  const page = await asGuest("GET", `/order-details?${query}`);
  if (!Object.keys(stores).length) await loadStores();
  show(page);
}

async function loadStores() {
  const { items } = await asGuest("GET", "/stores");
  stores = Object.fromEntries(items.map((store) => [store.store_id, store]));
}

const shown = new Map();

function show({ items, next_cursor: more }) {
  arrange(byId("orders"), items.map(entry));
  byId("none").hidden = items.length > 0;
  byId("more").hidden = more === null || limit >= MOST;
}

/** Return the element of an order; a new one only where the order has changed. */
function entry(order) {
  const before = shown.get(order.order_id);
  if (before?.version === order.version) return before.node;
  const node = card(order);
  shown.set(order.order_id, { version: order.version, node });
  return node;
}

function card(order) {
  const store = stores[order.store_id];
  const path = `/my/${order.order_id}`;
  const where = store ? localName(store.name) : order.store_id;
  const attributes = {
    class: "card entry",
    "data-order": order.order_id,
    "data-status": order.order_status,
  };
  return el(
    "li",
    attributes,
    el(
      "a",
      { class: "entry-link", href: path },
      el("span", { class: "entry-number" }, order.pickup_number ?? "—"),
      stateMark("status", order.order_status),
    ),
    el("p", {}, ...orderSummary(order)),
    el(
      "p",
      { class: "soft" },
      named(where),
      ` · ${dayAndClock(order.placed_at, store?.time_zone)} · ${money(order.total, order.currency)}`,
    ),
    el("a", { class: "button quiet", href: `/?again=${order.order_id}` }, t("again.button")),
  );
}

byId("more").addEventListener("click", () => {
  limit = Math.min(MOST, limit + STEP);
  look().then(connection.fine, connection.lost);
});
repeat(look, LOOK_MS, { onFine: connection.fine, onTrouble: connection.lost });
