// Who pays and how: the simulated provider's cards stand where a real one's form would be.

import { byId, el, say } from "./dom.js";
import { t } from "./language.js";
import { keep, kept } from "./storage.js";

const CARDS = ["approve", "decline", "slow_4000", "flaky", "lost_reply", "unavailable"];

export const habit = () => kept("payment") ?? { now: true, token: "tok_approve" };

/** Let the customer choose a card. Returns the select; its value is the card's token. */
export function chooseCard() {
	const options = CARDS.map((card) => el("option", { value: `tok_${card}` }, t(`card.${card}`)));
	const select = el("select", { id: "card", "aria-describedby": "card-note" }, options);
	select.value = habit().token;
	const note = el("p.soft", { id: "card-note" }, t("card.note"));
	byId("card-choice").replaceChildren(el("label", { for: "card" }, t("card.label")), select, note);
	return select;
}

export const byCard = (token) => ({ method: "card", token });

const FIELDS = ["name", "tel"];
// What no ticket can show; the server refuses it too.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/gu;

export class Checkout {
	#card = chooseCard();
	#when = byId("order").elements.when;

	constructor(onChange) {
		const contact = kept("contact") ?? {};
		for (const field of FIELDS) {
			byId(field).value = contact[field] ?? "";
			byId(field).oninput = () => {
				this.#complain(field, "");
				keep("contact", this.contact);
				onChange();
			};
		}
		this.#when.value = habit().now ? "now" : "later";
		for (const part of [...this.#when, this.#card]) {
			part.onchange = () => {
				this.#showPayment();
				onChange();
			};
		}
		this.#showPayment();
	}

	get paysNow() {
		return this.#when.value === "now";
	}
	get payment() {
		return this.paysNow ? byCard(this.#card.value) : undefined;
	}

	get contact() {
		const typed = (field) => byId(field).value.replace(UNPRINTABLE, "").trim();
		return Object.fromEntries(FIELDS.map((field) => [field, typed(field)]));
	}

	/** Whether nothing is missing; says what is, and goes there. */
	check() {
		const missing = FIELDS.filter((field) => !this.contact[field]);
		for (const field of FIELDS) {
			this.#complain(field, missing.includes(field) ? t(`order.${field}-missing`) : "");
		}
		if (missing.length) byId(missing[0]).focus();
		return missing.length === 0;
	}

	/** Mark the fields that the server refuses, and go to the first; return what they are called. */
	refuse(errors) {
		const named = errors.map(({ pointer }) => pointer.split("/").at(-1));
		const wrong = FIELDS.filter((field) => named.includes(field));
		for (const field of wrong) this.#complain(field, t(`order.${field}-wrong`));
		if (wrong.length) byId(wrong[0]).focus();
		return wrong.map((field) => t(`order.${field}`)).join(", ");
	}

	#complain(field, text) {
		byId(field).ariaInvalid = text !== "";
		say(`${field}-error`, text);
	}

	#showPayment() {
		byId("card-choice").hidden = !this.paysNow;
		byId("later-note").hidden = this.paysNow;
		keep("payment", { now: this.paysNow, token: this.#card.value });
	}
}
