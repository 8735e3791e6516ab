// The barista's board: three columns of tickets, each with the one button that comes next.

import { newKey } from "./attempt.js";
import { Chime } from "./chime.js";
import { Counter } from "./counter.js";
import { arrange, byId, el, isolated, named, say } from "./dom.js";
import { Problem, insist, repeat } from "./http.js";
import { asStaff } from "./identity.js";
import { localName, number, t, tellCode } from "./language.js";
import { connection, setTitle, staffShell, toast } from "./shell.js";
import { LIVE, NEW, Tickets } from "./tickets.js";

const LOOK_MS = 600;
const ALL_EVERY = 5; // looks: only new tickets are in such a hurry
const COUNTER_MS = 10_000;
const AGE_MS = 10_000;
const COLUMNS = {
  ACCEPTED: { column: "new", button: "start", next: "PREPARING" },
  PREPARING: { column: "preparing", button: "ready", next: "READY" },
  READY: { column: "ready", button: "complete", next: "PICKED_UP" },
};
const AGES = [
  [10, "late"],
  [5, "waiting"],
  [0, "fresh"],
];
const REASONS = ["ingredient_out", "machine_broken", "closing_soon", "not_picked_up", "other"];

const storeId = decodeURIComponent(location.pathname.split("/")[2]);
const tickets = new Tickets(storeId);
const chime = new Chime();
const pressed = new Set();
const cards = new Map();
let rejecting = null;

// --- what the board shows -----------------------------------------------------------------------

function show() {
  const held = document.activeElement?.closest("[data-ticket]");
  const all = tickets.all();
  const shown = all.map((ticket) => [columnOf(ticket), card(ticket)]);
  for (const section of document.querySelectorAll(".column")) {
    const mine = shown.filter(([column]) => column === section.dataset.column);
    arrange(
      section.querySelector(".tickets"),
      mine.map(([, node]) => node),
    );
    const live = mine.filter(([, node]) => node.dataset.status !== "CANCELED").length;
    say(section.querySelector(".count"), number(live));
  }
  const ids = new Set(all.map((ticket) => ticket.order_id));
  for (const id of cards.keys()) if (!ids.has(id)) cards.delete(id);
  const waiting = all.filter((ticket) => ticket.status === NEW).length;
  setTitle(waiting ? `(${number(waiting)}) ${t("board.title")}` : t("board.title"));
  if (held && !held.contains(document.activeElement)) keepFocus(held.dataset.ticket);
}

/** Let the keyboard stay with a ticket that moved; with the first one where it is gone. */
function keepFocus(id) {
  const node = cards.get(id) ?? document.querySelector("[data-ticket]");
  node?.querySelector("button").focus();
}

// Only what nobody has begun can be cancelled by its customer.
const columnOf = ({ status }) => COLUMNS[status]?.column ?? "new";

/** Return a ticket's element; it is made anew only where its state has changed. */
function card(ticket) {
  const id = ticket.order_id;
  const before = cards.get(id);
  if (before?.dataset.status !== ticket.status) {
    const node = ticket.status === "CANCELED" ? struckCard(ticket) : liveCard(ticket);
    cards.set(id, node);
  }
  const node = cards.get(id);
  showAge(node, ticket);
  // Not `disabled`, which would take the focus away.
  for (const button of node.querySelectorAll("button")) {
    button.setAttribute("aria-disabled", String(pressed.has(id)));
  }
  return node;
}

function liveCard(ticket) {
  const { button, next } = COLUMNS[ticket.status];
  const name = isolated(ticket.number);
  const main = {
    type: "button",
    class: "primary large",
    "data-button": button,
    "aria-label": `${t(`button.${button}`)} ${name}`,
    onclick: () => press(ticket, button, next),
  };
  const reject = {
    type: "button",
    class: "quiet danger",
    "data-button": "reject",
    "aria-label": `${t("button.reject")} ${name}`,
    onclick: () => askWhy(ticket),
  };
  return el(
    "li",
    { class: "ticket", "data-ticket": ticket.order_id, "data-status": ticket.status },
    ...face(ticket),
    el(
      "div",
      { class: "ticket-buttons" },
      el("button", main, t(`button.${button}`)),
      el("button", reject, t("button.reject")),
    ),
  );
}

function struckCard(ticket) {
  const onclick = () => {
    tickets.dismiss(ticket.order_id);
    show();
  };
  const label = `${t("button.dismiss")} ${isolated(ticket.number)}`;
  return el(
    "li",
    { class: "ticket struck", "data-ticket": ticket.order_id, "data-status": ticket.status },
    el("p", { class: "canceled-mark" }, t("board.canceled")),
    el("del", {}, ...face(ticket)),
    el(
      "button",
      { type: "button", "data-button": "dismiss", "aria-label": label, onclick },
      t("button.dismiss"),
    ),
  );
}

function face(ticket) {
  const lines = ticket.items.map((line) =>
    el("li", {}, el("b", {}, `${number(line.quantity)} × `), named(localName(line.name))),
  );
  return [
    el(
      "div",
      { class: "ticket-head" },
      el("span", { class: "ticket-number" }, ticket.number),
      el("span", { class: "age" }),
    ),
    el("p", { class: "who" }, named(ticket.customer_name ?? t("board.erased"))),
    el("ul", { class: "lines" }, ...lines),
  ];
}

function showAge(node, ticket) {
  const age = Math.max(0, Math.floor((Date.now() - new Date(ticket.opened_at)) / 60_000));
  const [, level] = AGES.find(([from]) => age >= from);
  node.dataset.age = level;
  say(node.querySelector(".age"), t(`age.${level}`, { n: number(age) }));
}

// --- the buttons --------------------------------------------------------------------------------

async function press(ticket, button, next, body) {
  const id = ticket.order_id;
  if (pressed.has(id)) return;
  pressed.add(id);
  show();
  const key = newKey();
  try {
    await insist(() => tickets.press(ticket, button, next, { key, body }), connection.lost);
    connection.fine();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(`${ticket.number}: ${tellCode(`problem.${error.code}`, error.message)}`);
  }
  pressed.delete(id);
  show();
}

function askWhy(ticket) {
  rejecting = ticket;
  say(byId("reject-title"), t("reject.title", { number: ticket.number }));
  byId("reject-form").reset();
  byId("reject-dialog").returnValue = "keep";
  byId("reject-dialog").showModal();
}

function showReasons() {
  const choices = REASONS.map((reason, place) => {
    const input = { type: "radio", name: "reason", value: reason, checked: place === 0 };
    const text = reason === "other" ? t("reject.other") : t(`reason.${reason}`);
    return el("label", { class: "choice" }, el("input", input), el("span", {}, text));
  });
  byId("reasons").replaceChildren(...choices);
  byId("reason-text").addEventListener("input", () => {
    byId("reject-form").elements.reason.value = "other";
  });
  byId("reject-form").addEventListener("submit", (event) => {
    const isMissing = event.submitter?.value === "reject" && reason() === "";
    if (!isMissing) return;
    event.preventDefault();
    byId("reason-text").focus();
  });
  byId("reject-dialog").addEventListener("close", ({ target }) => {
    if (target.returnValue === "reject")
      press(rejecting, "reject", "REJECTED", { reason: reason() });
  });
}

function reason() {
  const chosen = byId("reject-form").elements.reason.value;
  return chosen === "other" ? byId("reason-text").value.trim() : chosen;
}

function showSound() {
  byId("sound").setAttribute("aria-pressed", String(chime.on));
  say(byId("sound"), t(chime.on ? (chime.waits ? "sound.waits" : "sound.on") : "sound.off"));
}

// --- the page begins ----------------------------------------------------------------------------

async function showStores() {
  const { items } = await insist(() => asStaff("GET", "/stores"), connection.lost);
  const options = items.map((store) =>
    el(
      "option",
      { value: store.store_id, selected: store.store_id === storeId },
      localName(store.name),
    ),
  );
  byId("other-stores").replaceChildren(...options);
  byId("other-stores").addEventListener("change", ({ target }) =>
    location.assign(`/board/${target.value}`),
  );
  const mine = items.find((store) => store.store_id === storeId);
  say(byId("store"), mine ? localName(mine.name) : t("board.no-store"));
  return mine;
}

function announce(fresh) {
  if (!fresh.length) return;
  chime.ring();
  say(byId("news"), t("board.news", { numbers: fresh.map((ticket) => ticket.number).join(", ") }));
}

let looks = 0;

async function look() {
  const isFirst = looks === 0;
  const fresh = await tickets.look(looks % ALL_EVERY === 0 ? LIVE : [NEW]);
  looks += 1;
  if (!isFirst) announce(fresh);
  show();
}

function lost() {
  looks = Math.ceil(looks / ALL_EVERY) * ALL_EVERY; // everything is looked at when it is back
  connection.lost();
}

async function begin() {
  const who = await staffShell("board.title");
  if (who.role === "staff" && who.store_id !== storeId) {
    location.replace(`/board/${encodeURIComponent(who.store_id)}`);
    return;
  }
  if (!(await showStores())) return;
  const counter = new Counter(storeId);
  const told = { onFine: connection.fine, onTrouble: lost };
  repeat(look, LOOK_MS, told);
  repeat(() => counter.look(), COUNTER_MS, { onFine() {}, onTrouble() {} });
  setInterval(show, AGE_MS);
}

byId("sound").addEventListener("click", async () => {
  await chime.toggle();
  showSound();
});
addEventListener("pointerup", () => setTimeout(showSound, 100));
showReasons();
showSound();
begin();
