// The reader's language: texts, names, money and times.

import { keep, kept } from "./storage.js";
import { TEXTS } from "./texts.js";

const LANGUAGES = ["ko", "en"];
const wished = [kept("language"), ...navigator.languages].map((tag) => String(tag).slice(0, 2));

export const language = wished.find((tag) => LANGUAGES.includes(tag)) ?? "en";
export const otherLanguage = LANGUAGES.find((tag) => tag !== language);
const column = LANGUAGES.indexOf(language);

document.documentElement.lang = language;

export function switchLanguage() {
	keep("language", otherLanguage);
	location.reload();
}

export const t = (key, values = {}) =>
	TEXTS[key][column].replace(/\{(\w+)\}/g, (_, name) => values[name].toLocaleString(language));
export const tellCode = (key, fallback) => (key in TEXTS ? t(key) : fallback);

/** Return how the reader calls what a store calls `name`. */
export const localName = (name) => TEXTS[`name.${name}`]?.[column] ?? name;

export function translate() {
	for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
	for (const node of document.querySelectorAll("[data-t-label]"))
		node.ariaLabel = t(node.dataset.tLabel);
}

/** Return an amount in a currency's minor unit as people write it. */
export function money(amount, currency) {
	const format = new Intl.NumberFormat(language, { style: "currency", currency });
	return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

// Times are those of the place where the store is.
const formatted = (options) => (time, timeZone) =>
	time ? new Date(time).toLocaleString(language, { hourCycle: "h23", timeZone, ...options }) : "";

export const clock = formatted({ timeStyle: "short" });
export const clockWithSeconds = formatted({ timeStyle: "medium" });
export const dayAndClock = formatted({ dateStyle: "medium", timeStyle: "short" });

export const minutes = (seconds) =>
	t("unit.minutes", { n: Math.max(1, Math.round(seconds / 60)) });
