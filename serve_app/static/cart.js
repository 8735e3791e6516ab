// What the customer has chosen, priced by the store's menu of now.

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

	/** Put an order's lines in; several of one item become one. */
	replace(storeId, lines) {
		const quantities = {};
		for (const { menu_id: id, quantity } of lines) {
			quantities[id] = (quantities[id] ?? 0) + quantity;
		}
		this.#change({ storeId, quantities });
	}

	/** What is in it, to be compared. */
	get content() {
		return JSON.stringify(this.#state);
	}

	/** Empty it, unless something else is in it by now. */
	clear(content) {
		if (content === this.content) this.#change({ quantities: {} });
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

/** Return an order's items; one line takes 99 at most. */
export function asItems(lines) {
	const split = ({ item: { menu_id }, quantity: rest }) =>
		Array.from({ length: Math.ceil(rest / MOST) }, (_, place) => ({
			menu_id,
			quantity: Math.min(MOST, rest - place * MOST),
		}));
	return available(lines).flatMap(split);
}
