// The list of this guest's orders, newest first; it keeps up while any of them is under way.

import { asGuest, guest, repeat, url } from "./api.js";
import { arrange, byId, el, named } from "./dom.js";
import { dayAndClock, localName, money, t } from "./language.js";
import { orderSummary, stateMark } from "./order-view.js";
import { connection, customerShell } from "./shell.js";

const LOOK_MS = 3_000;
const STEP = 20;
const MOST = 200;

let limit = STEP;
let stores = null;
const shown = new Map();

async function look() {
	const { subject } = await guest();
	const path = url`/order-details?customer_id=${subject}&limit=${limit}`;
	const { items, next_cursor: more } = await asGuest("GET", path);
	stores ??= (await asGuest("GET", "/stores")).items;
	keepPlace(() => arrange(byId("orders"), items.map(entry)));
	byId("none").hidden = items.length > 0;
	byId("more").hidden = more === null || limit >= MOST;
}

/** Do a change; what had the focus in an order's entry has it in the one that took its place. */
function keepPlace(change) {
	const held = document.activeElement;
	const id = held.closest("[data-order]")?.dataset.order;
	const place = id && [...held.parentElement.children].indexOf(held);
	change();
	if (id && !held.isConnected) shown.get(id)?.node.children[place]?.focus();
}

function entry(order) {
	const { order_id: id, version } = order;
	if (shown.get(id)?.version !== version) shown.set(id, { version, node: card(order) });
	return shown.get(id).node;
}

function card(order) {
	const { order_id: id, order_status: status } = order;
	const store = stores.find(({ store_id }) => store_id === order.store_id);
	const where = named(localName(store?.name ?? order.store_id));
	const when = dayAndClock(order.placed_at, store?.time_zone);
	return el(
		"li.card.entry",
		{ "data-order": id, "data-status": status },
		el(
			"a.entry-link",
			{ href: `/my/${id}` },
			el("span.entry-number", order.pickup_number ?? "—"),
			stateMark("status", status),
		),
		el("p", orderSummary(order.items)),
		el("p.soft", where, ` · ${when} · ${money(order.total, order.currency)}`),
		el("a.button.quiet", { href: `/?again=${id}` }, t("again.button")),
	);
}

customerShell("nav.my");
byId("more").onclick = () => {
	limit = Math.min(MOST, limit + STEP);
	look().then(connection.fine, connection.lost);
};
repeat(look, LOOK_MS, connection);
