// What is around every page: title, ways, language, who everybody is, the connection.

import { Problem, asStaff, call, insist, signIn } from "./api.js";
import { byId, el, say } from "./dom.js";
import { otherLanguage, switchLanguage, t, tellCode, translate } from "./language.js";
import { keep, kept } from "./storage.js";

const CUSTOMER_LINKS = { "/": "nav.order", "/my": "nav.my" };
const OWNER_LINKS = { "/owner/order-details": "nav.details", "/owner/payments": "nav.payments" };

export async function customerShell(title) {
	frame(title, CUSTOMER_LINKS);
	addEventListener("visitended", () => toast(t("visit.ended"), { stays: true }));
	const { authentication } = await surely(() => call("GET", "/session"));
	if (authentication === "off") showOwnerBanner();
}
export async function staffShell(title) {
	frame(title, OWNER_LINKS);
	const who = await surely(() => asStaff("GET", "/session"));
	if (who.role === null || who.role === "customer") return signIn();
	if (who.role === "staff") byId("nav").lastChild.remove();
	if (who.authentication === "off" && who.role === "owner") showOwnerBanner();
	if (who.subject !== null && kept("token") !== null) showSignOut(who.subject);
	return who;
}

export const connection = {
	lost: () => say("connection", t(navigator.onLine ? "connection.lost" : "connection.offline")),
	fine: () => say("connection", ""),
};

/** Repeat a request until it is answered, and show whether the server answers. */
export const surely = (request) => insist(request, connection.lost).finally(connection.fine);

/** Return the server's no in the reader's words; throws what is none. */
export function problemText(error) {
	if (!(error instanceof Problem)) throw error;
	return tellCode(`problem.${error.code}`, error.message);
}

export function toast(text, { stays = false } = {}) {
	const note = el("p.toast", text);
	const onclick = () => note.remove();
	if (stays) note.append(el("button.quiet", { onclick }, t("button.close")));
	else setTimeout(onclick, 6000);
	byId("toasts").append(note);
}

export function setTitle(text) {
	document.title = `${text} · Siren Order`;
}

function frame(title, links) {
	translate();
	setTitle(t(title));
	const link = ([href, key]) =>
		el("a", { href, "aria-current": href === location.pathname && "page" }, t(key));
	byId("nav").append(...Object.entries(links).map(link));
	const name = { ko: "한국어", en: "English" }[otherLanguage];
	byId("tools").append(
		el("button.quiet", { lang: otherLanguage, onclick: switchLanguage }, name),
	);
}

function showOwnerBanner() {
	const staff = el("a", { href: "/owner/order-details" }, t("banner.staff"));
	byId("header").prepend(el("p.banner", { id: "owner-banner" }, t("banner.owner"), " ", staff));
}

function showSignOut(subject) {
	const onclick = () => {
		keep("token", null);
		location.assign("/sign-in");
	};
	byId("tools").append(el("button.quiet", { title: subject, onclick }, t("button.sign-out")));
}
