// Order details from the view, for the owner.

import { byId, el, named } from "./dom.js";
import { insist } from "./http.js";
import { asStaff } from "./identity.js";
import { dayAndClock, localName, money, t } from "./language.js";
import { orderSummary, reasonText, stateMark } from "./order-view.js";
import { connection, staffShell } from "./shell.js";
import { Table, fillSelect } from "./table.js";

const STATES = [
  "PLACED",
  "PAID",
  "ACCEPTED",
  "PREPARING",
  "READY",
  "PICKED_UP",
  "CANCELING",
  "CANCELED",
];

let stores = {};

const zone = (order) => stores[order.store_id]?.time_zone;
const storeName = (id) => localName(stores[id]?.name ?? id);
const total = (order) => money(order.total, order.currency);
const placedAt = (order) => dayAndClock(order.placed_at, zone(order));
const who = ({ customer }) => named(customer.name ?? t("board.erased"));
const summary = (order) => el("span", {}, ...orderSummary(order));
const board = ({ store_id: id }) =>
  el("a", { href: `/board/${encodeURIComponent(id)}` }, named(storeName(id)));

async function open(id) {
  const order = await asStaff("GET", `/order-details/${encodeURIComponent(id)}`);
  const facts = [
    ["column.number", order.pickup_number ?? "—"],
    ["column.order", el("code", {}, order.order_id)],
    [
      "column.customer",
      [
        who(order),
        " · ",
        named(order.customer.tel ?? "—"),
        el("br"),
        el("code", {}, named(order.customer.id)),
      ],
    ],
    ["column.store", board(order)],
    ["column.items", summary(order)],
    ["column.total", total(order)],
    ["column.order-status", stateMark("status", order.order_status)],
    ["column.payment-status", stateMark("payment", order.payment_status)],
    ["column.placed-at", placedAt(order)],
    ["column.reason", order.cancel_reason ? named(reasonText(order.cancel_reason)) : "—"],
  ];
  return { facts, orderId: order.order_id, timeZone: zone(order) };
}

const columns = [
  ["column.number", (order) => order.pickup_number ?? "—"],
  ["column.placed-at", placedAt],
  ["column.customer", who],
  ["column.store", board],
  ["column.items", summary],
  ["column.total", total],
  ["column.order-status", (order) => stateMark("status", order.order_status)],
  ["column.payment-status", (order) => stateMark("payment", order.payment_status)],
];
const table = new Table("/order-details", { idName: "order_id", columns, open });

fillSelect(
  byId("order_status"),
  STATES.map((status) => [status, t(`status.${status}`)]),
);
await staffShell("order-details.title");
const { items } = await insist(() => asStaff("GET", "/stores"), connection.lost);
stores = Object.fromEntries(items.map((store) => [store.store_id, store]));
fillSelect(
  byId("store_id"),
  items.map((store) => [store.store_id, localName(store.name)]),
);
byId("boards").append(...items.map((store) => board(store)));
byId("boards").hidden = false;
table.begin();
