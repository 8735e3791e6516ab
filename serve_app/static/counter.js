// The counter's settings: open or closed, how much the store takes on, and what is sold out.

import { asStaff, url } from "./api.js";
import { arrange, byId, el, named, onSubmit, say } from "./dom.js";
import { localName, t } from "./language.js";
import { problemText, soon, surely, toast } from "./shell.js";

const GIVEN_UP_MS = 2_000; // a switch that says what is not so is worse than one to press again

export class Counter {
	#address;
	#known = [];
	#changing = 0;
	#rows = new Map();

	constructor(storeId) {
		this.#address = url`/stores/${storeId}`;
		byId("settings").onclick = () => byId("counter").showModal();
		byId("open").onchange = ({ target }) => this.#change("", { open: target.checked });
		onSubmit("capacity-form", () => {
			const { value } = byId("capacity");
			this.#change("", { capacity: value === "" ? null : Number(value) });
		});
	}

	/** Read the store and its menu, and show them. Raises what the API says. */
	async look() {
		const [store, menu] = await Promise.all([
			asStaff("GET", this.#address),
			asStaff("GET", `${this.#address}/menu`),
		]);
		if (this.#changing > 0) return; // it may be older than a switch
		this.#known = [store, menu.items];
		this.#show(...this.#known);
	}

	#show(store, items) {
		byId("open").checked = store.open;
		if (document.activeElement !== byId("capacity")) byId("capacity").value = store.capacity ?? "";
		byId("open-state").dataset.open = store.open;
		say("open-state", this.#state(store));
		arrange(byId("switches"), items.map((item) => this.#switch(item)));
	}

	#state({ open, queue_length: n, capacity }) {
		if (!open) return t("store.closed");
		const room = capacity === null ? "" : ` · ${t("counter.at-most", { n: capacity })}`;
		return `${t("store.open")} · ${t("store.queue", { n })}${room}`;
	}

	#switch({ menu_id: id, name, sold_out: soldOut }) {
		if (!this.#rows.has(id)) {
			const onchange = ({ target }) =>
				this.#change(url`/menu/${id}`, { sold_out: target.checked });
			const ariaLabel = t("counter.sold-out", { name: localName(name) });
			const input = el("input", { type: "checkbox", role: "switch", "aria-label": ariaLabel, onchange });
			const label = el("label.switch.sold", input, el("span", named(localName(name))));
			this.#rows.set(id, el("li", { "data-menu": id }, label));
		}
		const row = this.#rows.get(id);
		row.querySelector("input").checked = soldOut;
		return row;
	}

	async #change(path, body) {
		this.#changing += 1;
		try {
			const change = () => asStaff("PATCH", this.#address + path, { body });
			const onTrouble = () => this.#known.length && this.#show(...this.#known);
			await soon(change, { lateMs: GIVEN_UP_MS, late: "counter.unsaved", onTrouble });
			toast(t("counter.saved"));
		} catch (error) {
			toast(problemText(error));
		} finally {
			this.#changing -= 1;
			await surely(() => this.look());
		}
	}
}
