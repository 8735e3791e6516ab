// Signing in with a token from `siren token` or an identity provider. It stays in this browser.

import { byId, el, say } from "./dom.js";
import { Problem, call } from "./http.js";
import { t, tellCode } from "./language.js";
import { customerShell } from "./shell.js";
import { keep } from "./storage.js";

customerShell("sign-in.title");
byId("token-note").append(
  t("sign-in.command"),
  " ",
  el("code", {}, "siren token --role staff --store gangnam"),
);

/** Return where to go on: a path of this site, never another one. */
function destination({ role, store_id: storeId }) {
  const home = role === "staff" ? `/board/${encodeURIComponent(storeId)}` : "/owner/order-details";
  const next = new URL(new URLSearchParams(location.search).get("next") ?? home, location.origin);
  return next.origin === location.origin ? next.pathname + next.search : home;
}

async function signIn() {
  const token = byId("token").value.trim();
  say(byId("refusal"), "");
  byId("enter").disabled = true;
  try {
    const who = await call("GET", "/session", { token });
    if (token === "" || who.role === "customer") throw new Problem(403, { code: "no_staff" });
    keep("token", token);
    location.assign(destination(who));
  } catch (error) {
    const isNo = error instanceof Problem;
    const text = isNo ? tellCode(`problem.${error.code}`, error.message) : t("connection.lost");
    say(byId("refusal"), text);
    byId("token").setAttribute("aria-invalid", "true");
    byId("token").focus();
  }
  byId("enter").disabled = false;
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn();
});
