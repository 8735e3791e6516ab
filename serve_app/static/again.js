// The last order, offered again as it was, at the prices of now.

import { Problem, asGuest, guest, url } from "./api.js";
import { available, total } from "./cart.js";
import { habit } from "./checkout.js";
import { byId, disable, el, isolated, onPress } from "./dom.js";
import { localName, minutes, money, t } from "./language.js";
import { orderSummary } from "./order-view.js";

/** The order in the address, which somebody asked for; null without any. */
export const wanted = new URLSearchParams(location.search).get("again");

/**
 * Return the order to offer again, or null without any: the one in the address, else the last one
 * that was not cancelled.
 */
export async function orderToRepeat() {
	try {
		if (wanted) return await asGuest("GET", url`/order-details/${wanted}`);
	} catch (error) {
		if (!(error instanceof Problem)) throw error; // no such order: the last one, then
	}
	const { subject } = await guest();
	let cursor = "";
	do {
		const path = url`/order-details?limit=20&customer_id=${subject}`;
		const page = await asGuest("GET", path + (cursor && url`&cursor=${cursor}`));
		const last = page.items.find(({ order_status: status }) => !status.startsWith("CANCEL"));
		if (last) return last;
		cursor = page.next_cursor;
	} while (cursor);
	return null;
}

/** Return an order's lines as the menu of now has them; what it no longer has is left out. */
export function linesOf(order, menu) {
	return order.items
		.map(({ menu_id, quantity }) => ({ item: menu.find((m) => m.menu_id === menu_id), quantity }))
		.filter(({ item }) => item);
}

export function showAgain(order, store, menu, { again, edit, busy }) {
	const lines = linesOf(order, menu);
	const obstacle = obstacleTo(order, store, lines);
	const price = money(total(lines), store.currency);
	const name = isolated(localName(store.name));
	const wait = minutes(store.estimated_wait_s);
	const isOpen = order.order_status === "PLACED";
	const pays = t(habit().now ? "again.pay" : "again.later", { price });
	const place = el(isOpen ? "button" : "button.primary", { id: "again-place" }, pays);
	const change = el("button.quiet", { id: "again-edit" }, t("again.edit"));
	disable(place, busy || obstacle !== null);
	disable(change, available(lines).length === 0);
	const link = { id: "again-open", href: `/my/${order.order_id}` };
	const box = byId("again");
	box.hidden = false;
	const fresh = box.cloneNode(false);
	fresh.append(
		el("h2", { id: "again-title" }, t(isOpen ? "again.unpaid" : "again.title")),
		el("p", orderSummary(order.items)),
		el(`p.${obstacle ? "error" : "soft"}`, obstacle ?? t("again.wait", { name, wait })),
		el(
			"div.actions",
			isOpen ? el("a.button.primary", link, t("again.open")) : [],
			place,
			change,
		),
	);
	if (!fresh.isEqualNode(box)) {
		const held = box.contains(document.activeElement) && document.activeElement.id;
		box.replaceChildren(...fresh.childNodes);
		if (held) byId(held)?.focus();
	}
	onPress("again-place", again);
	onPress("again-edit", edit);
}

/** Return why an order cannot be repeated just as it was, or null. */
function obstacleTo(order, store, lines) {
	if (!store.open) return t("store.closed");
	const there = new Set(available(lines).map(({ item }) => item.menu_id));
	const missing = order.items.filter(({ menu_id: id }) => !there.has(id));
	return missing.length ? t("again.sold-out", { names: namesOf(missing) }) : null;
}

/** Return what these are called, each of them once. */
export const namesOf = (items) =>
	[...new Set(items.map(({ name }) => isolated(localName(name))))].join(", ");
