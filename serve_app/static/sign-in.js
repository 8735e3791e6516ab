// Signing in with a token from `siren token` or an identity provider. It stays in this browser.

import { Problem, call, url } from "./api.js";
import { byId, isolated, onSubmit, say } from "./dom.js";
import { localName, t } from "./language.js";
import { customerShell, problemText } from "./shell.js";
import { keep, kept } from "./storage.js";

const TOKEN = /^[\w.~+/-]+=*$/; // RFC 6750, 2.1
const AROUND = /^\s*bearer\s+|[\s\u200b-\u200d\u2060]+/gi; // what copying it adds

const wish = wished(new URLSearchParams(location.search).get("next"));

/** Return where its reader came from: an address of this site, never of another one, or null. */
function wished(next) {
	const there = next !== null && URL.canParse(next, location.origin);
	const address = there ? new URL(next, location.origin) : null;
	return address?.origin === location.origin ? address : null;
}

function destination({ role, store_id: storeId }) {
	const home = role === "staff" ? url`/board/${storeId}` : "/owner/order-details";
	return wish?.href ?? home;
}

async function signIn() {
	const token = byId("token").value.replace(AROUND, "");
	refuse("");
	byId("enter").disabled = true;
	try {
		if (token && !TOKEN.test(token)) throw new Problem(401, { code: "no_token" });
		const who = await call("GET", "/session", { token });
		if (token === "" || who.role === "customer") throw new Problem(403, { code: "no_staff" });
		keep("token", token);
		if (!(await tellRefused(who, token))) location.assign(destination(who));
	} catch (error) {
		if (error instanceof Problem) refuse(problemText(error));
		else refuse(t(error.status ? "sign-in.busy" : "sign-in.no-answer"));
	}
	byId("enter").disabled = false;
}

function refuse(text) {
	say("refusal", text);
	byId("own-board").hidden = true;
	byId("token").ariaInvalid = text ? "true" : null;
	if (text) byId("token").focus();
}

/** Tell staff that the page they came from is not theirs, and lead to what is; or return false. */
async function tellRefused({ role, store_id: id }, token) {
	if (role !== "staff" || kept("refused") !== wish?.pathname) return false;
	const { name } = await call("GET", url`/stores/${id}`, { token });
	const store = isolated(localName(name));
	refuse(t("sign-in.owners", { store }));
	byId("own-board").hidden = false;
	byId("own-board").href = url`/board/${id}`;
	say("own-board", t("sign-in.own-board", { store }));
	return true;
}

async function begin() {
	const token = kept("token");
	if (token === null) return;
	try {
		await tellRefused(await call("GET", "/session", { token }), token);
	} catch {
		// Then nothing is known of who came, and there is nothing to tell.
	}
}

customerShell("sign-in.title");
onSubmit("sign-in", signIn);
begin();
