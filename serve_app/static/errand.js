// An errand of a customer, and the box that tells how it goes: it is carried out at once; where it
// was left lying, the box asks whether it still is wanted.

import { Stopped, begin, carryOut, drop, forget, isFresh, pending } from "./attempts.js";
import { byId, keepFocus, say } from "./dom.js";
import { t } from "./language.js";
import { troubleText } from "./shell.js";

export class Errand {
	#name;
	#page;
	#trouble = null;
	isUnderWay = false;
	isAsking = false;

	/**
	 * `page` has `title` (a text's key), `button` (the id of the one that starts it),
	 * `meant(attempt)` (the question; null: not yet), `agreed(attempt)` (what is sent after a
	 * yes), `changed()`, `done(answer, attempt)`, `refused(error, attempt)`, `dropped(attempt)`.
	 */
	constructor(name, page) {
		this.#name = name;
		this.#page = page;
	}

	get isWaiting() {
		return pending(this.#name) !== null;
	}

	/** Carry a request out, unless another one waits. */
	start(request) {
		if (this.isAsking) return byId("unanswered").focus();
		if (this.isWaiting) return this.resume();
		begin(this.#name, request);
		this.#go();
	}

	/** Go on with what waits for its answer, or ask about it. */
	resume() {
		if (!this.isWaiting || this.isUnderWay || this.isAsking) return;
		if (isFresh(pending(this.#name))) this.#go({});
		else this.ask();
	}

	/** Ask whether what waits is still wanted. */
	ask() {
		this.isAsking = true;
		this.show();
		this.#page.changed();
		byId("unanswered").focus();
	}

	/** Forget what waits: it has become pointless. */
	forget() {
		if (this.isUnderWay) return;
		forget(this.#name);
		this.#rest();
	}

	/** Bring the box up to date. */
	show() {
		if (this.isAsking && !this.isWaiting) this.#rest(); // another tab has settled it
		if (this.isAsking) {
			this.#box("attempt.ask", this.#page.meant(pending(this.#name)));
		} else if (this.#trouble) {
			this.#box(this.#page.title, troubleText(this.#trouble, "attempt.retrying"));
		}
	}

	async #go(trouble = null) {
		const attempt = pending(this.#name);
		this.isAsking = false;
		this.isUnderWay = true;
		this.#tell(trouble);
		this.#page.changed();
		let settle;
		try {
			const answer = await carryOut(this.#name, (error) => this.#tell(error));
			settle = () => this.#page.done(answer, attempt);
		} catch (error) {
			if (!(error instanceof Stopped)) settle = () => this.#page.refused(error, attempt);
		}
		this.#rest();
		if (settle) settle();
		else if (this.isWaiting) this.ask();
	}

	#tell(trouble) {
		this.#trouble = trouble;
		this.show();
	}

	#rest() {
		if (!this.isUnderWay && !this.isAsking) return;
		this.isUnderWay = this.isAsking = false;
		this.#trouble = null;
		const rest = () => {
			byId("unanswered").hidden = true;
			this.#page.changed();
		};
		keepFocus(rest, () => byId(this.#page.button));
	}

	#box(title, text) {
		const asks = this.isAsking;
		byId("unanswered").hidden = false;
		byId("unanswered").firstElementChild.hidden = asks;
		byId("send").hidden = !asks;
		byId("send").disabled = text === null;
		byId("send").onclick = () => {
			if (!this.isWaiting) return this.#rest(); // another tab was faster
			begin(this.#name, this.#page.agreed?.(pending(this.#name)) ?? pending(this.#name));
			this.#go();
		};
		byId("drop").onclick = () => {
			if (!this.isWaiting) return this.#rest();
			const attempt = drop(this.#name);
			this.#rest();
			this.#page.dropped(attempt);
		};
		say("unanswered-title", t(title));
		say("unanswered-text", text ?? "");
		say("drop", t(asks ? "attempt.drop" : "attempt.stop"));
	}
}
