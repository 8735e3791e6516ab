// What is around every page: title, ways, language, who everybody is, the connection.

import { Problem, asStaff, insist, now, signIn } from "./api.js";
import { byId, el, say } from "./dom.js";
import { switchLanguage, t, tellCode, translate } from "./language.js";
import { keep, kept } from "./storage.js";

export function customerShell(title) {
	frame(title);
	addEventListener("visitended", () => toast(t("visit.ended"), { stays: true }));
}
export async function staffShell(title) {
	frame(title);
	const who = await surely(() => asStaff("GET", "/session"));
	if (who.role === null || who.role === "customer") return signIn();
	if (who.role === "staff") byId("nav").lastChild.remove();
	if (who.subject !== null && kept("token") !== null) showSignOut(who.subject);
	return who;
}

export const connection = {
	lost: (error) => say("connection", troubleText(error, "connection.lost")),
	fine: () => say("connection", ""),
};

/** Return why there was no answer, in the reader's words; `unknown` is the text where nobody knows. */
export function troubleText({ status } = {}, unknown) {
	if (!navigator.onLine) return t("connection.offline");
	return t({ 429: "connection.too-many", 503: "connection.busy" }[status] ?? unknown);
}

/** Repeat a request until it is answered, and show whether the server answers. */
export const surely = (request) => insist(request, connection.lost).finally(connection.fine);

const LATE_MS = 120_000;

class TooLate extends Error {}

/** The same for what somebody pressed: after two minutes it is given up, not done out of the blue. */
export function soon(request) {
	const since = now();
	return surely(() => {
		if (Math.abs(now() - since) > LATE_MS) throw new TooLate();
		return request();
	});
}

/** Return the server's no in the reader's words, with these values; throws what is none. */
export function problemText(error, values) {
	if (error instanceof TooLate) return t("connection.gave-up");
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
}

function showSignOut(subject) {
	const onclick = () => {
		keep("token", null);
		location.assign("/sign-in");
	};
	byId("tools").append(el("button.quiet", { title: subject, onclick }, t("button.sign-out")));
}
