// What every page has around it: title, way around, language, who everybody is, the connection.

import { byId, el, say } from "./dom.js";
import { call, insist } from "./http.js";
import { session, signIn } from "./identity.js";
import { otherLanguage, switchLanguage, t, translate } from "./language.js";
import { keep, kept } from "./storage.js";

const CUSTOMER_LINKS = [
  ["/", "nav.order"],
  ["/my", "nav.my"],
];
const OWNER_LINKS = [
  ["/owner/order-details", "nav.details"],
  ["/owner/payments", "nav.payments"],
];

/** Put everything around a customer's page. */
export function customerShell(title) {
  frame(title, CUSTOMER_LINKS);
  addEventListener("visitended", () => toast(t("visit.ended"), { stays: true }));
  insist(
    () => call("GET", "/session"),
    () => {},
  ).then(({ authentication }) => authentication === "off" && showOwnerBanner());
}

/** Put everything around a page of staff or owner, and return who signed in. */
export async function staffShell(title) {
  frame(title, OWNER_LINKS);
  const who = await insist(session, connection.lost);
  connection.fine();
  if (who.role === null || who.role === "customer") return signIn();
  if (who.role === "staff") document.querySelector('nav a[href="/owner/payments"]').remove();
  if (who.authentication === "off" && who.role === "owner") showOwnerBanner();
  if (who.subject !== null && kept("token") !== null) showSignOut(who.subject);
  return who;
}

/** Whether the server answers; both may be called as often as one likes. */
export const connection = {
  lost() {
    document.documentElement.dataset.connection = "lost";
    say(byId("connection"), t(navigator.onLine ? "connection.lost" : "connection.offline"));
  },
  fine() {
    document.documentElement.dataset.connection = "fine";
    say(byId("connection"), "");
  },
};

/** Say something for a moment, to eyes and screen readers. */
export function toast(text, { stays = false } = {}) {
  const note = el("p", { class: "toast" }, text);
  const close = () => note.remove();
  if (stays)
    note.append(el("button", { type: "button", class: "quiet", onclick: close }, t("close")));
  else setTimeout(close, 6000);
  byId("toasts").append(note);
}

export function setTitle(text) {
  document.title = `${text} · Siren Order`;
}

function frame(title, links) {
  translate(document.body);
  setTitle(t(title));
  const here = location.pathname;
  const nav = el(
    "nav",
    { "aria-label": t("nav.label") },
    ...links.map(([path, key]) =>
      el("a", { href: path, "aria-current": path === here && "page" }, t(key)),
    ),
  );
  const bar = el(
    "div",
    { class: "bar" },
    el("a", { class: "brand", href: "/", "aria-label": "Siren Order" }, logo(), wordmark()),
    nav,
    el("div", { id: "tools", class: "tools" }, languageButton()),
  );
  const status = el("p", { id: "connection", role: "status", class: "connection" });
  const skip = el("a", { class: "skip", href: "#main" }, t("nav.skip"));
  document.body.prepend(skip, el("header", { id: "header" }, bar), status);
  document.body.append(el("div", { id: "toasts", role: "status", class: "toasts" }));
}

const logo = () => el("img", { src: "/static/icon.svg", alt: "", width: 28, height: 28 });
const wordmark = () => el("span", { class: "wordmark" }, "Siren Order");

function languageButton() {
  const name = { ko: "한국어", en: "English" }[otherLanguage];
  const button = { type: "button", class: "quiet", lang: otherLanguage, onclick: switchLanguage };
  return el("button", button, name);
}

function showOwnerBanner() {
  const staff = el("a", { href: "/owner/order-details" }, t("banner.staff"));
  const banner = el("p", { id: "owner-banner", class: "banner" }, `${t("banner.owner")} `, staff);
  byId("header").prepend(banner);
}

function showSignOut(subject) {
  const signOut = () => {
    keep("token", null);
    location.assign("/sign-in");
  };
  const attributes = { type: "button", class: "quiet", title: subject, onclick: signOut };
  byId("tools").append(el("button", attributes, t("sign-out")));
}
