// How an order is told: its lines, states and history, on every page that shows one.

import { byId, el, named } from "./dom.js";
import { whenExactly, localName, money, t, tellCode } from "./language.js";

export const orderLines = ({ items, currency }) =>
	items.map(({ quantity, name, amount }) =>
		el(
			"li",
			el("span.quantity", `${quantity} ×`),
			el("span.name", named(localName(name))),
			el("span", money(amount, currency)),
		),
	);

export const orderSummary = (items) =>
	items.flatMap(({ quantity, name }, place) => [
		place ? ", " : "",
		named(localName(name)),
		quantity > 1 ? ` × ${quantity}` : "",
	]);

export const stateMark = (kind, status) =>
	el(`span.mark.${kind}`, { "data-state": status }, t(`${kind}.${status}`));

/** Return why an order was cancelled: a code in words, or the words that somebody wrote. */
export const reasonText = (reason) => tellCode(`reason.${reason}`, `“${reason}”`);

/** Show an order's events; they have codes where the order has somebody's own words. */
export function showHistory(events, timeZone, words) {
	const entry = ({ type, at, data: { reason, number } }) =>
		el(
			"li",
			{ "data-event": type },
			el("time", { datetime: at }, whenExactly(at, timeZone)),
			el(
				"span",
				tellCode(`event.${type}`, type),
				reason ? [" · ", named(reasonText(words ?? reason))] : [],
				number ? ` · ${number}` : "",
			),
		);
	byId("history").replaceChildren(...events.map(entry));
}
