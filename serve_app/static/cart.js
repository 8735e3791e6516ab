// What the customer has chosen, priced by the store's menu of now.

import { keep, kept } from "./storage.js";

export const MOST = 99;

/** One cart for all tabs: it is read whenever it is asked, and read before it is changed. */
export class Cart {
	get #state() {
		return kept("cart") ?? { quantities: {} };
	}

	get storeId() {
		return this.#state.storeId;
	}

	choose(storeId) {
		this.#change({ storeId });
	}

	quantity(menuId) {
		return this.#state.quantities[menuId] ?? 0;
	}

	/** Take more or less of an item. More than 99 come from an earlier order only. */
	step(menuId, by) {
		const before = this.quantity(menuId);
		this.set(menuId, Math.max(0, Math.min(Math.max(MOST, before), before + by)));
	}

	set(menuId, quantity) {
		this.#change({ quantities: { ...this.#state.quantities, [menuId]: quantity } });
	}

	/** Put an order's lines in, beside what is there; twice is as good as once. */
	add(storeId, lines) {
		const wanted = {};
		for (const { menu_id: id, quantity } of lines) wanted[id] = (wanted[id] ?? 0) + quantity;
		const quantities = { ...this.#state.quantities };
		for (const [id, n] of Object.entries(wanted)) quantities[id] = Math.max(n, this.quantity(id));
		this.#change({ storeId, quantities });
	}

	/** What is in it, to be compared. */
	get content() {
		return JSON.stringify(this.#state);
	}

	/** What is in it of these lines, to be taken out once they are ordered. */
	contentOf(lines) {
		const quantities = lines.map(({ item, quantity }) => [item.menu_id, quantity]);
		return JSON.stringify({ quantities: Object.fromEntries(quantities) });
	}

	/** Take out what was ordered; what came in meanwhile, or from another store's menu, stays. */
	takeOut(content) {
		const quantities = { ...this.#state.quantities };
		for (const [id, n] of Object.entries(JSON.parse(content).quantities)) {
			quantities[id] = Math.max(0, (quantities[id] ?? 0) - n);
		}
		this.#change({ quantities });
	}

	/** Return what was chosen of a menu, in its order; also what is sold out by now. */
	lines(menu) {
		return menu
			.map((item) => ({ item, quantity: this.quantity(item.menu_id) }))
			.filter(({ quantity }) => quantity > 0);
	}

	#change(part) {
		keep("cart", { ...this.#state, ...part });
	}
}

export const available = (lines) => lines.filter(({ item }) => !item.sold_out);

export const total = (lines) =>
	available(lines).reduce((sum, { item, quantity }) => sum + item.price * quantity, 0);

/** Return an order's items; one line takes 99 at most. */
export function asItems(lines) {
	const split = ({ item: { menu_id }, quantity: rest }) =>
		Array.from({ length: Math.ceil(rest / MOST) }, (_, place) => ({
			menu_id,
			quantity: Math.min(MOST, rest - place * MOST),
		}));
	return available(lines).flatMap(split);
}
