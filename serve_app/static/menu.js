// The rows of the order page: stores, menu and cart. Each is made once: it may have the focus.

import { MOST } from "./cart.js";
import { byId, disable, el, isolated, named, onPress, say } from "./dom.js";
import { localName, minutes, money, t } from "./language.js";

const rows = new Map();

/** Return the element made for a key before, or a new one. */
function row(key, make) {
	if (!rows.has(key)) rows.set(key, make());
	return rows.get(key);
}

export function queueText({ open, queue_length: n, estimated_wait_s: wait }) {
	if (!open) return t("store.closed");
	return `${t("store.queue", { n })} · ${t("store.wait", { wait: minutes(wait) })}`;
}

/** Rows of what is in a cart or can be; `changed(refuge)` is called when a press changed it. */
export class Rows {
	constructor(cart, changed) {
		this.cart = cart;
		this.changed = changed;
	}

	store(store, onChosen) {
		const value = store.store_id;
		const choice = row(`store ${value}`, () =>
			el(
				"label.choice.store",
				{ "data-store": value },
				el("input", { type: "radio", name: "store", value, onchange: () => onChosen(value) }),
				el("span.name", named(localName(store.name))),
				el("span.soft"),
			),
		);
		choice.firstChild.checked = value === this.cart.storeId;
		choice.classList.toggle("closed", !store.open);
		say(choice.lastChild, queueText(store));
		return choice;
	}

	dish({ menu_id: id, name: called, price, currency, sold_out: soldOut }) {
		const { cart } = this;
		const line = row(`menu ${cart.storeId} ${id}`, () => this.#newDish(id, localName(called)));
		const quantity = cart.quantity(id);
		const [dish, less, count, more] = line.children;
		line.classList.toggle("sold-out", soldOut);
		line.classList.toggle("chosen", quantity > 0);
		const note = soldOut ? t("menu.sold-out") : quantity >= MOST && t("menu.most", { n: MOST });
		say(dish.lastChild, [money(price, currency), note].filter(Boolean).join(" · "));
		say(count, quantity ? `${quantity}` : "");
		less.hidden = quantity === 0;
		disable(more, soldOut || quantity >= MOST);
		return line;
	}

	#newDish(id, name) {
		const step = (by, sign, key) => {
			const button = el("button.round", { "aria-label": t(key, { name: isolated(name) }) }, sign);
			onPress(button, () => {
				this.cart.step(id, by);
				this.changed(() => button.parentElement.lastChild);
			});
			return button;
		};
		return el(
			"li",
			{ "data-menu": id },
			el("div.dish", el("span.name", named(name)), el("span.soft")),
			step(-1, "−", "menu.less"),
			el("output"),
			step(1, "+", "menu.more"),
		);
	}

	line({ item, quantity }) {
		const { menu_id: id, name: called, price, currency, sold_out: soldOut } = item;
		const line = row(`cart ${this.cart.storeId} ${id}`, () => this.#newLine(id, localName(called)));
		const [count, , amount] = line.children;
		line.classList.toggle("sold-out", soldOut);
		say(count, `${quantity} ×`);
		say(amount, soldOut ? t("menu.sold-out") : money(price * quantity, currency));
		return line;
	}

	#newLine(id, name) {
		const onclick = () => {
			const next = line.nextElementSibling ?? line.previousElementSibling;
			this.cart.set(id, 0);
			this.changed(() => next?.lastChild ?? byId("checkout"));
		};
		const remove = { "aria-label": t("cart.remove", { name: isolated(name) }), onclick };
		const line = el(
			"li",
			el("span.quantity"),
			el("span.name", named(name)),
			el("span"),
			el("button.quiet", remove, "×"),
		);
		return line;
	}
}
