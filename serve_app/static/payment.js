// Paying: the simulated provider's cards stand where a real one's form would be.

import { el } from "./dom.js";
import { t } from "./language.js";
import { keep, kept } from "./storage.js";

const CARDS = {
  tok_approve: "card.approve",
  tok_decline: "card.decline",
  tok_slow_4000: "card.slow",
  tok_flaky: "card.flaky",
  tok_lost_reply: "card.lost",
  tok_unavailable: "card.unavailable",
};

/** Return how the customer paid last, `{now, token}`. */
export const habit = () => kept("payment") ?? { now: true, token: "tok_approve" };

export const keepHabit = (now, token) => keep("payment", { now, token });

/** Let the customer choose a card in `box`. Returns the select; its value is the card's token. */
export function chooseCard(box) {
  const { token } = habit();
  const options = Object.entries(CARDS).map(([value, key]) =>
    el("option", { value, selected: value === token }, t(key)),
  );
  const select = el("select", { id: "card", "aria-describedby": "card-note" }, ...options);
  const note = el("p", { id: "card-note", class: "soft" }, t("card.note"));
  box.replaceChildren(el("label", { for: "card" }, t("card.label")), select, note);
  return select;
}

/** Return a payment as the API takes it. */
export const byCard = (token) => ({ method: "card", token });
