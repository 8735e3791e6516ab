// The last order again, with one tap. The card says what it costs and how long it takes today.

import { available, total } from "./cart.js";
import { byId, el, isolated, named } from "./dom.js";
import { Problem } from "./http.js";
import { asGuest, guest } from "./identity.js";
import { localName, minutes, money, t } from "./language.js";
import { habit } from "./payment.js";

/** Return the order to offer again: the one in the address, else the last; null without any. */
export async function orderToRepeat() {
  const wanted = new URLSearchParams(location.search).get("again");
  try {
    if (wanted) return await asGuest("GET", `/order-details/${encodeURIComponent(wanted)}`);
  } catch (error) {
    if (!(error instanceof Problem)) throw error; // no such order: the last one, then
  }
  const { subject } = await guest();
  const query = new URLSearchParams({ customer_id: subject, limit: 1 });
  return (await asGuest("GET", `/order-details?${query}`)).items[0] ?? null;
}

/** Return an order's lines as the menu of now has them; what it no longer has is left out. */
export function linesOf(order, menu) {
  return order.items
    .map(({ menu_id, quantity }) => ({ item: menu.find((m) => m.menu_id === menu_id), quantity }))
    .filter(({ item }) => item);
}

/** Show the order that can be repeated, in the state of this moment. */
export function showAgain(order, store, menu, { again, edit, busy }) {
  const lines = linesOf(order, menu);
  const obstacle = obstacleTo(order, store, lines);
  const price = money(total(lines), store.currency);
  const label = t(habit().now ? "again.pay" : "again.later", { price });
  const submit = { type: "button", class: "primary", disabled: busy || obstacle, onclick: again };
  const name = isolated(localName(store.name));
  const wait = minutes(store.estimated_wait_s);
  const box = byId("again");
  box.hidden = false;
  const fresh = box.cloneNode(false);
  fresh.append(
    el("h2", { id: "again-title" }, t("again.title")),
    el("p", {}, ...summary(lines)),
    el("p", { class: obstacle ? "error" : "soft" }, obstacle ?? t("again.wait", { name, wait })),
    el(
      "div",
      { class: "actions" },
      el("button", { ...submit, id: "again-place" }, label),
      el("button", { type: "button", class: "quiet", id: "again-edit", onclick: edit }, t("again.edit")),
    ),
  );
  if (fresh.isEqualNode(box)) return;
  const held = box.contains(document.activeElement) && document.activeElement.id;
  box.replaceChildren(...fresh.childNodes);
  if (held) byId(held).focus();
}

function summary(lines) {
  return lines.flatMap(({ item, quantity }, place) => [
    ...(place ? [", "] : []),
    named(localName(item.name)),
    ...(quantity > 1 ? [` × ${quantity}`] : []),
  ]);
}

function obstacleTo(order, store, lines) {
  if (!store.open) return t("store.closed-now");
  const some = lines.length < order.items.length || available(lines).length < lines.length;
  return some ? t("again.sold-out") : null;
}
