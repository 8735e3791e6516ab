// What the customer has chosen, and the last order again, priced by the store's menu of now.

import { Problem, asGuest, guest, url } from "./api.js";
import { habit } from "./checkout.js";
import { byId, el, isolated } from "./dom.js";
import { localName, minutes, money, t } from "./language.js";
import { orderSummary } from "./order-view.js";
import { keep, kept } from "./storage.js";

const MOST = 99;

export class Cart {
	#state = kept("cart") ?? { quantities: {} };

	get storeId() {
		return this.#state.storeId;
	}

	choose(storeId) {
		this.#change({ storeId });
	}

	quantity(menuId) {
		return this.#state.quantities[menuId] ?? 0;
	}

	set(menuId, quantity) {
		const quantities = { ...this.#state.quantities, [menuId]: Math.min(MOST, quantity) };
		this.#change({ quantities });
	}

	replace(storeId, lines) {
		const quantities = Object.fromEntries(lines.map((line) => [line.menu_id, line.quantity]));
		this.#change({ storeId, quantities });
	}

	clear() {
		this.#change({ quantities: {} });
	}

	/** Return what was chosen of a menu, in its order; also what is sold out by now. */
	lines(menu) {
		return menu
			.map((item) => ({ item, quantity: this.quantity(item.menu_id) }))
			.filter(({ quantity }) => quantity > 0);
	}

	#change(part) {
		this.#state = { ...this.#state, ...part };
		keep("cart", this.#state);
	}
}

export const available = (lines) => lines.filter(({ item }) => !item.sold_out);

export const total = (lines) =>
	available(lines).reduce((sum, { item, quantity }) => sum + item.price * quantity, 0);

export const asItems = (lines) =>
	available(lines).map(({ item, quantity }) => ({ menu_id: item.menu_id, quantity }));

/** Return the order to offer again: the one in the address, else the last; null without any. */
export async function orderToRepeat() {
	const wanted = new URLSearchParams(location.search).get("again");
	try {
		if (wanted) return await asGuest("GET", url`/order-details/${wanted}`);
	} catch (error) {
		if (!(error instanceof Problem)) throw error; // no such order: the last one, then
	}
	const { subject } = await guest();
	const page = await asGuest("GET", url`/order-details?limit=1&customer_id=${subject}`);
	return page.items[0] ?? null;
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
	const items = lines.map(({ item, quantity }) => ({ name: item.name, quantity }));
	const place = { id: "again-place", disabled: busy || obstacle !== null, onclick: again };
	const box = byId("again");
	box.hidden = false;
	const fresh = box.cloneNode(false);
	fresh.append(
		el("h2", { id: "again-title" }, t("again.title")),
		el("p", orderSummary(items)),
		el(`p.${obstacle ? "error" : "soft"}`, obstacle ?? t("again.wait", { name, wait })),
		el(
			"div.actions",
			el("button.primary", place, t(habit().now ? "again.pay" : "again.later", { price })),
			el("button.quiet", { id: "again-edit", onclick: edit }, t("again.edit")),
		),
	);
	if (fresh.isEqualNode(box)) return;
	const held = box.contains(document.activeElement) && document.activeElement.id;
	box.replaceChildren(...fresh.childNodes);
	if (held) byId(held).focus();
}

function obstacleTo(order, store, lines) {
	if (!store.open) return t("store.closed");
	return available(lines).length < order.items.length ? t("again.sold-out") : null;
}
