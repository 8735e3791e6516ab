// Signing in with a token from `siren token` or an identity provider. It stays in this browser.

import { Problem, call, url } from "./api.js";
import { byId, onSubmit, say } from "./dom.js";
import { t } from "./language.js";
import { customerShell, problemText } from "./shell.js";
import { keep } from "./storage.js";

/** Return where to go on: an address of this site, never of another one. */
function destination({ role, store_id: storeId }) {
	const home = role === "staff" ? url`/board/${storeId}` : "/owner/order-details";
	const next = new URL(new URLSearchParams(location.search).get("next") ?? home, location.origin);
	return next.origin === location.origin ? next.href : home;
}

async function signIn() {
	const token = byId("token").value.trim();
	say("refusal", "");
	byId("enter").disabled = true;
	try {
		const who = await call("GET", "/session", { token });
		if (token === "" || who.role === "customer") throw new Problem(403, { code: "no_staff" });
		keep("token", token);
		location.assign(destination(who));
	} catch (error) {
		say("refusal", error instanceof Problem ? problemText(error) : t("connection.lost"));
		byId("token").ariaInvalid = true;
		byId("token").focus();
	}
	byId("enter").disabled = false;
}

customerShell("sign-in.title");
onSubmit("sign-in", signIn);
