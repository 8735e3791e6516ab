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

/** Return an event's entry, and behind it what else is told of it; somebody's own words stand in
 * the order, and a code in the event. */
export const eventEntry = ({ type, at, data: { reason, number } }, timeZone, words, ...more) =>
	el(
		"li",
		{ "data-event": type },
		el("time", { datetime: at }, whenExactly(at, timeZone)),
		el(
			"span",
			tellCode(`event.${type}`, type),
			reason ? [" · ", named(reasonText(words ?? reason))] : [],
			number ? ` · ${number}` : "",
			...more,
		),
	);

/** Show an order's events. */
export function showHistory(events, timeZone, words) {
	byId("history").replaceChildren(...events.map((event) => eventEntry(event, timeZone, words)));
}
