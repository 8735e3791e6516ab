// A store's tickets as its board knows them. Knows nothing of what the board looks like.
//
// A list may be older than what a button just did, or than another list. So a ticket never goes back,
// and one that vanishes from its list is asked for by its id.

import { Problem, asStaff, url } from "./api.js";
import { keep, kept } from "./storage.js";

export const NEW = "ACCEPTED";
export const LIVE = [NEW, "PREPARING", "READY"];
const RANK = { ACCEPTED: 0, PREPARING: 1, READY: 2, PICKED_UP: 3, REJECTED: 3, CANCELED: 3 };
const PAGE = 200;

export class Tickets {
	#storeId;
	#tickets = new Map();
	#ended = new Set();
	#last = new Map();
	#reasons = new Map();
	#remembered;

	constructor(storeId) {
		this.#storeId = storeId;
		// Ids only: what became of them while the page was away is asked again.
		this.#remembered = kept(`board.${storeId}`) ?? [];
	}

	/** Return the tickets, oldest first; cancelled ones stay until they are dismissed. */
	all() {
		return [...this.#tickets.values()].sort((a, b) => (a.opened_at < b.opened_at ? -1 : 1));
	}

	/** Read the lists of these states, and what vanished from them; return what is new. */
	async look(states) {
		const before = new Set([...this.#tickets.keys(), ...this.#remembered]);
		const filter = { store_id: this.#storeId, limit: PAGE };
		const lists = states.map((status) => this.#list({ ...filter, status }));
		const listed = (await Promise.all(lists)).flat();
		for (const ticket of listed) this.take(ticket);
		const found = new Set(listed.map((ticket) => ticket.order_id));
		const missing = this.all().filter((ticket) => states.includes(ticket.status));
		const ids = new Set([...missing.map((ticket) => ticket.order_id), ...this.#remembered]);
		for (const id of ids) if (!found.has(id)) await this.ask(id);
		await this.#askWhy();
		this.#remembered = [];
		this.#remember();
		return listed.filter((ticket) => ticket.status === NEW && !before.has(ticket.order_id));
	}

	/** Take in what is known of a ticket, unless more is known already. */
	take(ticket) {
		const id = ticket.order_id;
		const known = this.#tickets.get(id);
		if (this.#ended.has(id) || (known && RANK[ticket.status] < RANK[known.status])) return;
		if (ticket.status === "PICKED_UP" || ticket.status === "REJECTED") this.dismiss(id);
		else this.#tickets.set(id, ticket);
	}

	dismiss(id) {
		this.#tickets.delete(id);
		this.#ended.add(id);
		this.#remember();
	}

	async press(ticket, button, status, { key, body }) {
		const path = url`/pickups/${ticket.order_id}/${button}`;
		const answer = await asStaff("POST", path, { key, body, wait: 2 });
		const reached = answer.pickup_status in RANK ? answer.pickup_status : status;
		this.#last.set(ticket.order_id, reached);
		this.take({ ...ticket, status: reached, updated_at: answer.ready_at ?? ticket.updated_at });
		return answer;
	}

	/** Return how far a ticket was when it was last heard of. */
	stateOf(id) {
		return this.#last.get(id);
	}

	/** Return the reason of a cancelled ticket's order, a code or words; none where it is not known. */
	whyGone(id) {
		return this.#reasons.get(id);
	}

	/** Read one ticket. */
	async ask(id) {
		const [ticket] = await this.#list({ order_id: id });
		if (ticket?.store_id !== this.#storeId) return;
		this.#last.set(id, ticket.status);
		this.take(ticket);
	}

	async #askWhy() {
		const gone = this.all().filter(({ status }) => status === "CANCELED");
		for (const { order_id: id } of gone.filter((ticket) => !this.#reasons.has(ticket.order_id))) {
			try {
				this.#reasons.set(id, (await asStaff("GET", url`/orders/${id}`)).cancel_reason);
			} catch (error) {
				if (!(error instanceof Problem)) throw error;
				this.#reasons.set(id, null);
			}
		}
	}

	async #list(filter) {
		const items = [];
		let cursor = null;
		do {
			const query = new URLSearchParams(cursor === null ? filter : { ...filter, cursor });
			const page = await asStaff("GET", `/pickups?${query}`);
			items.push(...page.items);
			cursor = page.next_cursor;
		} while (cursor !== null);
		return items;
	}

	#remember() {
		const ids = [...this.#tickets.keys(), ...this.#remembered];
		const changed = JSON.stringify(ids) !== JSON.stringify(kept(`board.${this.#storeId}`));
		if (changed) keep(`board.${this.#storeId}`, ids);
	}
}
