// The reader's language: texts, names, money and times.

import { byId } from "./dom.js";
import { keep, kept } from "./storage.js";
import { TEXTS } from "./texts.js";

const LANGUAGES = { ko: "한국어", en: "English" };
const html = document.documentElement;

// The page comes in the language that the browser asks for.
export const language = kept("language") in LANGUAGES ? kept("language") : html.lang;
const otherLanguage = Object.keys(LANGUAGES).find((tag) => tag !== language);
const column = Object.keys(LANGUAGES).indexOf(language);

/** Let the server know, so that the next page comes in this language. It signs nobody in. */
function ask(tag) {
	document.cookie = `siren-language=${tag}; path=/; max-age=31536000; samesite=lax`;
}

export function switchLanguage() {
	keep("language", otherLanguage);
	ask(otherLanguage);
	location.reload();
}

/** Return a text; never throws, since a page that says less goes on working. */
export const t = (key, values = {}) =>
	(TEXTS[key]?.[column] ?? key).replace(
		/\{(\w+)\}/g,
		(_, name) => values[name]?.toLocaleString(language) ?? "…",
	);
export const tellCode = (key, fallback, values) => (key in TEXTS ? t(key, values) : fallback);

/** Return how the reader calls what a store calls `name`. */
export const localName = (name) => TEXTS[`name.${name}`]?.[column] ?? name;

/** Let the page, which may have come in the other language, speak this one. */
export function translate() {
	if (language === html.lang) return;
	ask(language);
	html.lang = language;
	byId("language").lang = otherLanguage;
	byId("language").textContent = LANGUAGES[otherLanguage];
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
const formatted = (options) => (time, timeZone) => {
	if (!time) return "";
	const told = (zone) =>
		new Date(time)
			.toLocaleString(language, { hourCycle: "h23", timeZone: zone, ...options })
			.replace(/\b\d:/, "0$&"); // Korean has 08:44, and 8:44:07
	const there = told(timeZone);
	return there === told() ? there : `${there} ${zoneName(time, timeZone)}`;
};

/** Return what a zone is called, for readers whose own clocks show something else. */
const zoneName = (time, timeZone) =>
	new Intl.DateTimeFormat(language, { timeZone, timeZoneName: "short" })
		.formatToParts(new Date(time))
		.find(({ type }) => type === "timeZoneName").value;

const clock = formatted({ timeStyle: "short" });
export const clockWithSeconds = formatted({ timeStyle: "medium" });
export const dayAndClock = formatted({ dateStyle: "medium", timeStyle: "short" });

const day = formatted({ dateStyle: "short" });
const dayAndSeconds = formatted({ dateStyle: "medium", timeStyle: "medium" });
const isToday = (time, zone) => day(time, zone) === day(Date.now(), zone);

/** Return a time of day, and its day where that is not today. */
export const when = (time, zone) => (isToday(time, zone) ? clock : dayAndClock)(time, zone);
export const whenExactly = (time, zone) =>
	(isToday(time, zone) ? clockWithSeconds : dayAndSeconds)(time, zone);

export const minutes = (seconds) =>
	t("unit.minutes", { n: Math.max(1, Math.round(seconds / 60)) });
