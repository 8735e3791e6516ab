// Order details from the view, for the owner.

import { asStaff, url } from "./api.js";
import { byId, el, named } from "./dom.js";
import { dayAndClock, localName, money, t } from "./language.js";
import { orderSummary, reasonText, stateMark } from "./order-view.js";
import { staffShell, surely, theirs } from "./shell.js";
import { fillSelect, showTable } from "./table.js";

const ACTIVE = ["PLACED", "PAID", "ACCEPTED", "PREPARING", "READY"];
const STATES = [...ACTIVE, "PICKED_UP", "CANCELING", "CANCELED"];

let stores = [];

const storeOf = (order) => stores.find(({ store_id }) => store_id === order.store_id);
const storeName = (order) => localName(storeOf(order)?.name ?? order.store_id);
const board = (order) =>
	el("a", { href: url`/board/${order.store_id}` }, named(storeName(order)));
const who = ({ customer }) => named(customer.name ?? t("board.erased"));
const reason = ({ cancel_reason: code }) => (code ? named(reasonText(code)) : "—");
const contact = (order) => {
	const { tel, id } = order.customer;
	return [who(order), " · ", named(tel ?? "—"), el("br"), el("code", named(id))];
};

const number = ["column.number", (order) => order.pickup_number ?? "—"];
const placed = [
	"column.placed-at",
	(order) => dayAndClock(order.placed_at, storeOf(order)?.time_zone),
];
// What an order's row and its details say alike.
const common = [
	["column.store", board],
	["column.items", (order) => el("span", orderSummary(order.items))],
	["cart.total", (order) => money(order.total, order.currency)],
	["column.order-status", (order) => stateMark("status", order.order_status)],
	["column.payment-status", (order) => stateMark("payment", order.payment_status)],
];

fillSelect("order_status", STATES.map((status) => [status, t(`status.${status}`)]));
const seen = await staffShell("nav.details");
stores = theirs(seen, (await surely(() => asStaff("GET", "/stores"))).items);
fillSelect("store_id", stores.map((store) => [store.store_id, storeName(store)]));
byId("boards").append(...stores.map(board));
showTable("/order-details", {
	idName: "order_id",
	columns: [number, placed, ["column.customer", who], ...common],
	facts: [
		number,
		["column.order", (order) => el("code", order.order_id)],
		["column.customer", contact],
		...common,
		placed,
		["column.reason", reason],
	],
	zone: (order) => storeOf(order)?.time_zone,
});
