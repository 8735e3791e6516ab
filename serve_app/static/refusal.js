// Why an order was refused, for as long as that is so.

import { linesOf } from "./again.js";
import { total } from "./cart.js";
import { byId, say } from "./dom.js";

export class Refusal {
	#isAbout = null; // what was on the page when it was told
	#isSo = null;
	#wasSeen = false;

	/** Tell it; it is about what `page()` returns, and `isSo()` says whether the menus say so too. */
	tell(text, page, isSo) {
		this.#isAbout = { page, then: page() };
		this.#isSo = isSo;
		this.#wasSeen = false;
		say("refusal", text);
		byId("refusal").scrollIntoView({ block: "nearest" });
	}

	/** Take it back once the page is about something else, or the menus, which may lag, had it. */
	check() {
		if (!this.#isAbout) return;
		const { page, then } = this.#isAbout;
		const isSo = this.#isSo();
		if (page() !== then || (this.#wasSeen && !isSo)) this.clear();
		else this.#wasSeen ||= isSo;
	}

	clear() {
		this.#isAbout = null;
		say("refusal", "");
	}
}

/** Whether a store and its menu say what was the reason for refusing an order. */
export function isStillSo({ code, menu_ids: ids = [], total: price }, { items }, store, menu = []) {
	if (code === "price_changed") return total(linesOf({ items }, menu)) === price;
	if (ids.length === 0) return !store?.open;
	const there = new Set(menu.filter((item) => !item.sold_out).map((item) => item.menu_id));
	return ids.some((id) => !there.has(id));
}
