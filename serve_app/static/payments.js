// The payment service's own record, and whose order each payment is of, for the owner.

import { Problem, asStaff, url } from "./api.js";
import { el, named } from "./dom.js";
import { dayAndClock, localName, money, t } from "./language.js";
import { orderSummary, stateMark } from "./order-view.js";
import { staffShell, surely } from "./shell.js";
import { fillSelect, showTable } from "./table.js";

const STATES = ["PENDING", "APPROVED", "DECLINED", "CANCELED"];

const orders = new Map();
let stores = [];

/** Read the orders of these payments. */
const prepare = (payments) => Promise.all(payments.map(readOrder));

async function readOrder({ order_id: id }) {
	if (orders.has(id)) return;
	try {
		orders.set(id, await surely(() => asStaff("GET", url`/order-details/${id}`)));
	} catch (error) {
		if (!(error instanceof Problem)) throw error; // the view may not have it yet
	}
}

// Ids begin with their time: what tells them apart is their end.
const short = (id) => el("code", { title: id }, `…${id.slice(-10)}`);
const orderOf = ({ order_id: id }) => orders.get(id);
const storeOf = (payment) =>
	stores.find(({ store_id: id }) => id === orderOf(payment)?.store_id);
const zone = (payment) => storeOf(payment)?.time_zone;

const number = ["column.number", (payment) => orderOf(payment)?.pickup_number ?? "—"];
const time = (key, timeOf) => [key, (payment) => dayAndClock(timeOf(payment), zone(payment))];
const opener = (payment) => orderOf(payment)?.pickup_number ?? short(payment.payment_id);

// What a payment's row and its details say alike.
const common = [
	["column.store", (payment) => named(localName(storeOf(payment)?.name ?? "—"))],
	[
		"column.order",
		({ order_id: id }) => el("a", { href: url`/owner/order-details?order_id=${id}` }, short(id)),
	],
	time("column.placed-at", (payment) => orderOf(payment)?.placed_at),
	["column.amount", ({ amount, currency }) => money(amount, currency)],
	["column.payment-status", ({ status }) => stateMark("payment", status)],
	time("column.approved-at", (payment) => payment.approved_at),
	time("column.canceled-at", (payment) => payment.canceled_at),
	["column.attempts", (payment) => payment.attempts],
];
const items = (payment) => el("span", orderSummary(orderOf(payment)?.items ?? []));

fillSelect("status", STATES.map((status) => [status, t(`payment.${status}`)]));
await staffShell("nav.payments");
stores = (await surely(() => asStaff("GET", "/stores"))).items;
showTable("/payments", {
	idName: "payment_id",
	columns: [["column.number", opener], ...common],
	facts: [
		["column.payment", ({ payment_id: id }) => el("code", id)],
		number,
		...common,
		["column.items", items],
	],
	zone,
	prepare,
});
