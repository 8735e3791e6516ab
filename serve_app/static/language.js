// The reader's language: texts, names, money and times.

import { keep, kept } from "./storage.js";
import { TEXTS } from "./texts.js";

const LANGUAGES = ["ko", "en"];
const wished = [kept("language"), ...navigator.languages].map((tag) => String(tag).slice(0, 2));

export const language = wished.find((tag) => LANGUAGES.includes(tag)) ?? "en";
export const otherLanguage = LANGUAGES.find((tag) => tag !== language);
const column = LANGUAGES.indexOf(language);

document.documentElement.lang = language;

/** Show everything in the other language, from the beginning: no page loses anything by that. */
export function switchLanguage() {
  keep("language", otherLanguage);
  location.reload();
}

/** Return a text with `{name}` filled in from `values`. */
export function t(key, values = {}) {
  return TEXTS[key][column].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Return the text of a code that others may add to; `fallback` where it is not known. */
export const tellCode = (key, fallback) => (key in TEXTS ? t(key) : fallback);

/** Return how the reader calls what a store calls `name`; stores name things in one language. */
export const localName = (name) => tellCode(`name.${name}`, name);

/** Fill in every element that names its text, or the text of one of its attributes. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.dataset.tLabel));
  }
}

/** Return an amount in a currency's minor unit as people write it. */
export function money(amount, currency) {
  const format = new Intl.NumberFormat(language, { style: "currency", currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

export const number = (value) => new Intl.NumberFormat(language).format(value);

/** Return a time of day where the store is. */
export const clock = (time, timeZone) => formatted(time, { timeStyle: "short", timeZone });

export const clockWithSeconds = (time, timeZone) =>
  formatted(time, { timeStyle: "medium", timeZone });

/** Return day and time where the store is. */
export const dayAndClock = (time, timeZone) =>
  formatted(time, { dateStyle: "medium", timeStyle: "short", timeZone });

function formatted(time, options) {
  if (time === null) return "";
  return new Intl.DateTimeFormat(language, { hourCycle: "h23", ...options }).format(new Date(time));
}

/** Return a wait in whole minutes. */
export const minutes = (seconds) =>
  t("unit.minutes", { n: number(Math.max(1, Math.round(seconds / 60))) });
