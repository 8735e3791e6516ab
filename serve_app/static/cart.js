// What the customer has chosen so far: kept over reloads, priced by the store's menu of now.

import { keep, kept } from "./storage.js";

const MOST = 99;

export class Cart {
  #state = kept("cart") ?? { storeId: null, quantities: {} };

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
    const { [menuId]: _, ...others } = this.#state.quantities;
    const kept = quantity > 0 ? { [menuId]: Math.min(MOST, quantity) } : {};
    this.#change({ quantities: { ...others, ...kept } });
  }

  /** Put another order's lines in the place of what is there. */
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

/** Return those lines that can be ordered. */
export const available = (lines) => lines.filter(({ item }) => !item.sold_out);

export const total = (lines) =>
  available(lines).reduce((sum, { item, quantity }) => sum + item.price * quantity, 0);

/** Return lines as the API takes them. */
export const asItems = (lines) =>
  available(lines).map(({ item, quantity }) => ({ menu_id: item.menu_id, quantity }));
