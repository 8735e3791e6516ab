// The customer's name, number and way to pay, on the order page.

import { byId, say } from "./dom.js";
import { t } from "./language.js";
import { byCard, chooseCard, habit, keepHabit } from "./payment.js";
import { keep, kept } from "./storage.js";

const FIELDS = ["name", "tel"];
// What no ticket can show; the server refuses it too.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/gu;

export class Checkout {
  #card = chooseCard(byId("card-choice"));
  #when = byId("order").elements.when;

  constructor(onChange) {
    const contact = kept("contact") ?? {};
    for (const field of FIELDS) {
      byId(field).value = contact[field] ?? "";
      byId(field).addEventListener("input", () => this.#typed(field));
    }
    this.#when.value = habit().now ? "now" : "later";
    for (const part of [...this.#when, this.#card]) {
      part.addEventListener("change", () => {
        this.#showPayment();
        onChange();
      });
    }
    this.#showPayment();
  }

  get paysNow() {
    return this.#when.value === "now";
  }

  /** Return the card's payment; undefined where the customer pays later. */
  get payment() {
    return this.paysNow ? byCard(this.#card.value) : undefined;
  }

  get contact() {
    const entries = FIELDS.map((field) => [
      field,
      byId(field).value.replace(UNPRINTABLE, "").trim(),
    ]);
    return Object.fromEntries(entries);
  }

  /** Whether nothing is missing; says what is, and goes there. */
  check() {
    const missing = FIELDS.filter((field) => !this.contact[field]);
    for (const field of FIELDS) this.#complain(field, missing.includes(field));
    if (missing.length) byId(missing[0]).focus();
    return missing.length === 0;
  }

  #typed(field) {
    this.#complain(field, false);
    keep("contact", this.contact);
  }

  #complain(field, missing) {
    byId(field).setAttribute("aria-invalid", String(missing));
    say(byId(`${field}-error`), missing ? t(`order.${field}-missing`) : "");
  }

  #showPayment() {
    byId("card-choice").hidden = !this.paysNow;
    byId("later-note").hidden = this.paysNow;
    keepHabit(this.paysNow, this.#card.value);
  }
}
