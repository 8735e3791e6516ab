// The payment service's own record, for the owner.

import { url } from "./api.js";
import { el } from "./dom.js";
import { dayAndClock, money, t } from "./language.js";
import { stateMark } from "./order-view.js";
import { staffShell } from "./shell.js";
import { fillSelect, showTable } from "./table.js";

const STATES = ["PENDING", "APPROVED", "DECLINED", "CANCELED"];

// Ids begin with their time: what tells them apart is their end.
const short = (id) => el("code", { title: id }, `…${id.slice(-10)}`);

// What a payment's row and its details say alike.
const common = [
	[
		"column.order",
		({ order_id: id }) => el("a", { href: url`/owner/order-details?order_id=${id}` }, short(id)),
	],
	["column.amount", ({ amount, currency }) => money(amount, currency)],
	["column.payment-status", ({ status }) => stateMark("payment", status)],
	["column.approved-at", (payment) => dayAndClock(payment.approved_at)],
	["column.canceled-at", (payment) => dayAndClock(payment.canceled_at)],
	["column.attempts", (payment) => payment.attempts],
];

fillSelect("status", STATES.map((status) => [status, t(`payment.${status}`)]));
await staffShell("nav.payments");
showTable("/payments", {
	idName: "payment_id",
	columns: [["column.payment", ({ payment_id: id }) => short(id)], ...common],
	facts: [["column.payment", ({ payment_id: id }) => el("code", id)], ...common],
});
