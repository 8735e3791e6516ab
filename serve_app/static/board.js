// The barista's board: three columns of tickets, each with the one button that comes next.

import { asStaff, newKey, now, ownId, repeat, url } from "./api.js";
import { Chime } from "./chime.js";
import { Counter } from "./counter.js";
import { arrange, byId, el, isolated, named, say } from "./dom.js";
import { localName, t } from "./language.js";
import { connection, problemText, setTitle, soon, staffShell, surely, theirs, toast } from "./shell.js";
import { reasonText } from "./order-view.js";
import { remember } from "./steady.js";
import { keep, kept } from "./storage.js";
import { LIVE, NEW, Tickets } from "./tickets.js";

const LOOK_MS = 600;
const ALL_EVERY = 5; // looks: only new tickets are in such a hurry
const CALM_MS = 10_000;
const COLUMNS = {
	ACCEPTED: { column: "new", button: "start", next: "PREPARING" },
	PREPARING: { column: "preparing", button: "ready", next: "READY" },
	READY: { column: "ready", button: "complete", next: "PICKED_UP" },
};
// By so many minutes after what was promised; the texts of ages have the same names.
const AGES = { late: 0, waiting: -2, fresh: -Infinity };
const PROMISE_MIN = 10; // where none was given, and for a customer to come
const REASONS = ["ingredient_out", "machine_broken", "closing_soon", "not_picked_up", "other"];

const storeId = ownId();
const tickets = new Tickets(storeId);
const chime = new Chime();
const pressed = new Set();
const cards = new Map();
let rejecting = null;

// What the board shows

function show() {
	const held = document.activeElement?.closest("[data-ticket]");
	const heldIn = held?.closest("[data-column]");
	remember(document.querySelector(".board"));
	const all = tickets.all();
	for (const section of document.querySelectorAll("[data-column]")) {
		const mine = all.filter((ticket) => columnOf(ticket) === section.dataset.column);
		arrange(section.querySelector("ul"), mine.map(card));
		const live = mine.filter(({ status }) => status !== "CANCELED").length;
		say(section.querySelector(".count"), `${live}`);
	}
	document.querySelector(".board").removeAttribute("data-waiting");
	const ids = new Set(all.map((ticket) => ticket.order_id));
	for (const id of cards.keys()) if (!ids.has(id)) cards.delete(id);
	const waiting = all.filter((ticket) => ticket.status === NEW).length;
	setTitle(waiting ? `(${waiting}) ${t("board.title")}` : t("board.title"));
	if (held && !held.contains(document.activeElement)) keepFocus(held.dataset.ticket, heldIn);
}

/** Let the keyboard stay with a ticket that moved, or in its column; on nothing that acts. */
function keepFocus(id, column) {
	const node = cards.get(id) ?? column?.querySelector("h2");
	node?.focus({ preventScroll: true });
}

// Only what nobody has begun can be cancelled by its customer.
const columnOf = ({ status }) => COLUMNS[status]?.column ?? "new";
function card(ticket) {
	const { order_id: id, status } = ticket;
	if (cards.get(id)?.dataset.status !== status) {
		const content = status === "CANCELED" ? struck(ticket) : live(ticket);
		cards.set(id, el("li.ticket", { "data-ticket": id, "data-status": status, tabindex: -1 }, content));
	}
	const node = cards.get(id);
	showAge(node, ticket);
	if (status === "CANCELED") say(node.querySelector(".error"), whyGone(ticket));
	// Not `disabled`, which would take the focus away.
	for (const button of node.querySelectorAll("button")) button.ariaDisabled = pressed.has(id);
	return node;
}

function live(ticket) {
	const { button: name, next } = COLUMNS[ticket.status];
	const forward = button("button.primary.large", name, ticket, () => press(ticket, name, next));
	const reject = button("button.quiet.danger", "reject", ticket, () => askWhy(ticket));
	return [...face(ticket), el("div.ticket-buttons", forward, reject)];
}

function struck(ticket) {
	const dismiss = () => {
		tickets.dismiss(ticket.order_id);
		show();
	};
	return [
		el("p.error"),
		el("del", face(ticket)),
		button("button", "dismiss", ticket, dismiss),
	];
}

/** Return why it was cancelled, as far as its order tells. */
function whyGone({ order_id: id }) {
	const reason = tickets.whyGone(id);
	if (reason === "customer_request") return reasonText(reason);
	return [t("status.CANCELED"), ...(reason ? [isolated(reasonText(reason))] : [])].join(": ");
}

function button(selector, name, ticket, onclick) {
	const text = t(`button.${name}`);
	const label = `${text} ${isolated(ticket.number)}`;
	return el(selector, { "data-button": name, "aria-label": label, onclick }, text);
}

const face = (ticket) => [
	el("div.head", el("span.ticket-number", ticket.number), el("span.age")),
	el("p.who", named(ticket.customer_name ?? t("board.erased"))),
	el("ul", ticket.items.map(line)),
];

const line = ({ quantity, name }) => el("li", el("b", `${quantity} × `), named(localName(name)));

/** Show how long it waits, and whether that is longer than its customer was told. */
function showAge(node, { status, opened_at: opened, updated_at: updated, ...ticket }) {
	const isReady = status === "READY";
	const since = minutesSince(isReady ? updated : opened);
	const promised = isReady ? null : ticket.estimated_ready_at;
	const late = promised ? minutesSince(promised) : since - PROMISE_MIN;
	node.dataset.age = Object.keys(AGES).find((age) => late >= AGES[age]);
	const n = Math.max(0, Math.floor(since));
	say(node.querySelector(".age"), t(`age.${isReady ? "ready-" : ""}${node.dataset.age}`, { n }));
}

// By the server's clock: a tablet's may be wrong.
const minutesSince = (time) => (now() - new Date(time)) / 60_000;

// The buttons

/** Press a ticket's button; `refused` hears why it was not done, where trying again is no use. */
async function press(ticket, button, next, { body, refused = toast } = {}) {
	const id = ticket.order_id;
	if (pressed.has(id)) return;
	pressed.add(id);
	show();
	const key = newKey();
	let tries = 0;
	const request = () => {
		tries += 1;
		return tickets.press(ticket, button, next, { key, body });
	};
	try {
		const { replayed } = await soon(request);
		// Where an answer got lost, it may have been this very press.
		if (replayed && tries === 1) tellState(ticket);
	} catch (error) {
		if (error.status === 409) await surely(() => tickets.ask(id)).then(() => tellState(ticket));
		else refused(`${ticket.number}: ${problemText(error)}`);
	}
	pressed.delete(id);
	show();
}

/** Say that somebody else was first, and what became of the ticket. */
function tellState({ order_id: id, number }) {
	toast(t("board.taken", { number, state: t(`status.${tickets.stateOf(id)}`) }));
}

function askWhy(ticket) {
	rejecting = ticket;
	say("reject-title", t("reject.title", ticket));
	byId("reject-form").reset();
	refuseReason("");
	byId("reject-dialog").showModal();
}

function prepareReasons() {
	const form = byId("reject-form");
	const choices = REASONS.map((value, place) => {
		const input = { type: "radio", name: "reason", value, checked: place === 0 };
		const text = value === "other" ? "reject.other" : `reason.${value}`;
		return el("label.choice", el("input", input), t(text));
	});
	byId("reasons").append(...choices);
	byId("reason-text").oninput = () => (form.elements.reason.value = "other");
	// There is no undo: a key that was pressed twice, or to end a line, decides nothing.
	form.onkeydown = (event) => {
		if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
		event.preventDefault();
		if (event.target.id === "reason-text") form.querySelector("[value=reject]").focus();
	};
	form.onsubmit = (event) => {
		if (event.submitter?.value === "keep") return;
		event.preventDefault();
		if (reason()) reject(rejecting);
		else byId("reason-text").focus();
	};
}

/** Reject a ticket; the dialog stays, with what was written, until the reason is taken. */
async function reject(ticket) {
	const isAsked = () => byId("reject-dialog").open && rejecting === ticket;
	let isRefused = false;
	const refused = (text) => {
		isRefused = true;
		if (isAsked()) refuseReason(text);
		else toast(text);
	};
	refuseReason("");
	await press(ticket, "reject", "REJECTED", { body: { reason: reason() }, refused });
	if (isAsked() && !isRefused) byId("reject-dialog").close();
}

function refuseReason(text) {
	say("reject-refusal", text);
	byId("reason-text").ariaInvalid = text ? "true" : null;
	if (text) byId("reason-text").focus();
}

function reason() {
	const chosen = byId("reject-form").elements.reason.value;
	return chosen === "other" ? byId("reason-text").value.trim() : chosen;
}

function showSound() {
	byId("sound").ariaPressed = chime.on;
	say("sound", t(chime.waits ? "sound.waits" : chime.on ? "sound.on" : "sound.off"));
}

// The page begins

async function showStores(who) {
	const items = theirs(who, (await surely(() => asStaff("GET", "/stores"))).items);
	const options = items.map(({ store_id: value, name }) =>
		el("option", { value, selected: value === storeId }, localName(name)),
	);
	byId("other-stores").append(...options);
	byId("other-stores").onchange = ({ target }) => location.assign(url`/board/${target.value}`);
	const mine = items.find((store) => store.store_id === storeId);
	if (mine) say("store", localName(mine.name));
	else showMissing(items);
	return mine;
}

function showMissing(stores) {
	byId("missing").hidden = false;
	for (const part of document.querySelectorAll(".board, .actions:has(#sound)")) part.hidden = true;
	const link = ({ store_id: id, name }) =>
		el("a.button", { href: url`/board/${id}` }, named(localName(name)));
	byId("boards").append(...stores.map(link));
}

function announce(fresh) {
	if (!fresh.length) return;
	chime.ring();
	say("news", t("board.news", { numbers: fresh.map((ticket) => ticket.number).join(", ") }));
}

let looks = 0;
let isKnown = false;

async function look() {
	const before = looks;
	looks = 0; // where this look fails, the next one is at everything
	const fresh = await tickets.look(before % ALL_EVERY === 0 ? LIVE : [NEW]);
	looks = before + 1;
	if (isKnown) announce(fresh);
	isKnown = true;
	show();
}

async function begin() {
	const who = await staffShell("board.title");
	if (who.role === "staff" && who.store_id !== storeId) {
		keep("led-back", true);
		location.replace(url`/board/${who.store_id}`);
		return;
	}
	if (kept("led-back")) toast(t("board.own"));
	keep("led-back", null);
	if (!(await showStores(who))) return;
	const counter = new Counter(storeId);
	repeat(look, LOOK_MS, connection);
	repeat(() => counter.look(), CALM_MS, connection);
	setInterval(show, CALM_MS);
}

byId("sound").onclick = async () => {
	await chime.toggle();
	showSound();
};
addEventListener("pointerup", () => setTimeout(showSound, 100));
prepareReasons();
showSound();
begin();
