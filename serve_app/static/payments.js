// The payment service's own record, for the owner.

import { byId, el } from "./dom.js";
import { asStaff } from "./identity.js";
import { dayAndClock, money, number, t } from "./language.js";
import { stateMark } from "./order-view.js";
import { staffShell } from "./shell.js";
import { Table, fillSelect } from "./table.js";

const STATES = ["PENDING", "APPROVED", "DECLINED", "CANCELED"];

const short = (id) => el("code", { title: id }, id.slice(0, 12));
const state = ({ status }) => stateMark("payment", status);
const amount = (payment) => money(payment.amount, payment.currency);
const order = ({ order_id: id }) =>
  el("a", { href: `/owner/order-details?order_id=${id}` }, short(id));

async function open(id) {
  const payment = await asStaff("GET", `/payments/${encodeURIComponent(id)}`);
  const facts = [
    ["column.payment", el("code", {}, payment.payment_id)],
    ["column.order", order(payment)],
    ["column.amount", amount(payment)],
    ["column.payment-status", state(payment)],
    ["column.approved-at", dayAndClock(payment.approved_at)],
    ["column.canceled-at", dayAndClock(payment.canceled_at)],
    ["column.attempts", number(payment.attempts)],
  ];
  return { facts, orderId: payment.order_id };
}

const table = new Table("/payments", {
  idName: "payment_id",
  columns: [
    ["column.payment", ({ payment_id: id }) => short(id)],
    ["column.order", order],
    ["column.amount", amount],
    ["column.payment-status", state],
    ["column.approved-at", (payment) => dayAndClock(payment.approved_at)],
    ["column.canceled-at", (payment) => dayAndClock(payment.canceled_at)],
    ["column.attempts", (payment) => number(payment.attempts)],
  ],
  open,
});

fillSelect(
  byId("status"),
  STATES.map((status) => [status, t(`payment.${status}`)]),
);
await staffShell("payments.title");
table.begin();
