// What is around every page: title, ways, language, who everybody is, the connection.

import { Problem, asStaff, insist, now, signIn } from "./api.js";
import { byId, el, say } from "./dom.js";
import { switchLanguage, t, tellCode, translate } from "./language.js";
import { holdSteady } from "./steady.js";
import { keep, kept } from "./storage.js";

export function customerShell(title) {
	frame(title);
	addEventListener("visitended", () => toast(t("visit.ended"), { stays: true }));
}
export async function staffShell(title) {
	frame(title);
	holdSteady();
	const who = await surely(() => asStaff("GET", "/session"));
	if (who.role === null || who.role === "customer") return signIn();
	if (who.role === "staff") byId("nav").lastChild.remove();
	if (who.subject !== null && kept("token") !== null) showSignOut(who.subject);
	return who;
}

/** Return those of these stores that are somebody's to see: all, or the one they work in. */
export const theirs = ({ role, store_id: own }, stores) =>
	role === "staff" ? stores.filter(({ store_id: id }) => id === own) : stores;

export const connection = {
	lost: (error) => say("connection", troubleText(error, "connection.lost")),
	fine: () => say("connection", ""),
};

const BUSY = { 429: "connection.too-many", 503: "connection.busy" };

/** Return why there was no answer, in the reader's words; `unknown` is the text where nobody knows. */
export function troubleText({ status } = {}, unknown) {
	if (status in BUSY) return t(BUSY[status]); // whatever the browser says: somebody answered
	return t(navigator.onLine || status ? unknown : "connection.offline");
}

/** Repeat a request until it is answered, and show, and tell `onTrouble`, where it is not. */
export function surely(request, onTrouble) {
	const trouble = (error) => {
		connection.lost(error);
		onTrouble?.();
	};
	return insist(request, trouble).finally(connection.fine);
}

const LATE_MS = 120_000;

class TooLate extends Error {}

/**
 * The same for what somebody pressed: after two minutes it is given up, not done out of the blue.
 *
 * Where it is to be given up earlier, `lateMs` says when, and `late` is the text of it.
 */
export function soon(request, { lateMs = LATE_MS, late = "connection.gave-up", onTrouble } = {}) {
	const since = now();
	return surely(() => {
		if (Math.abs(now() - since) > lateMs) throw new TooLate(late);
		return request();
	}, onTrouble);
}

/** Return the server's no in the reader's words, with these values; throws what is none. */
export function problemText(error, values) {
	if (error instanceof TooLate) return t(error.message);
	if (!(error instanceof Problem)) throw error;
	return tellCode(`problem.${error.code}`, error.message, values);
}

export function toast(text, { stays = false } = {}) {
	const note = el("p.toast", text); // or texts and elements
	const onclick = () => note.remove();
	if (stays) note.append(el("button.quiet", { onclick }, t("button.close")));
	else setTimeout(onclick, 6000);
	byId("toasts").append(note);
}

export function setTitle(text) {
	document.title = `${text} · Siren Order`;
}

function frame(title) {
	translate();
	setTitle(t(title));
	for (const link of byId("nav").children) {
		if (link.pathname === location.pathname) link.ariaCurrent = "page";
	}
	byId("language").onclick = switchLanguage;
	const dialogs = document.querySelectorAll("dialog");
	for (const dialog of dialogs) opening.observe(dialog, { attributeFilter: ["open"] });
}

// What is told stands in the dialog while one is open: all else lies under it, and cannot be used.
const opening = new MutationObserver(() =>
	(document.querySelector("dialog[open]") ?? document.body).append(byId("notes")),
);

function showSignOut(subject) {
	const onclick = () => {
		keep("token", null);
		location.assign("/sign-in");
	};
	byId("tools").append(el("button.quiet", { title: subject, onclick }, t("button.sign-out")));
}
