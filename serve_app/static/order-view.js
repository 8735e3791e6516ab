// How an order is told: its lines, states and history, on every page that shows one.

import { el, named } from "./dom.js";
import { clockWithSeconds, localName, money, number, t, tellCode } from "./language.js";

/** Return an order's lines with amounts. */
export const orderLines = (order) =>
  order.items.map((line) =>
    el(
      "li",
      {},
      el("span", { class: "quantity" }, `${number(line.quantity)} ×`),
      el("span", { class: "name" }, named(localName(line.name))),
      el("span", { class: "amount" }, money(line.amount, order.currency)),
    ),
  );

/** Return an order's lines as one phrase. */
export const orderSummary = (order) =>
  order.items.flatMap((line, place) => [
    ...(place ? [", "] : []),
    named(localName(line.name)),
    ...(line.quantity > 1 ? [` × ${number(line.quantity)}`] : []),
  ]);

/** Return a mark with the text of an order's or a payment's state. */
export const stateMark = (kind, status) =>
  el("span", { class: `mark ${kind}`, "data-state": status }, t(`${kind}.${status}`));

/** Return why an order was cancelled; free texts of a store are kept apart. */
export const reasonText = (reason) => tellCode(`reason.${reason}`, `“${reason}”`);

/** Show events, oldest first. */
export function showHistory(list, events, timeZone) {
  list.replaceChildren(
    ...events.map(({ type, at, data }) =>
      el(
        "li",
        { "data-event": type },
        el("time", { datetime: at }, clockWithSeconds(at, timeZone)),
        el("span", {}, tellCode(`event.${type}`, type), ...why(data)),
      ),
    ),
  );
}

const why = ({ reason, number: called }) => [
  ...(reason ? [" · ", named(reasonText(reason))] : []),
  ...(called ? [` · ${called}`] : []),
];
