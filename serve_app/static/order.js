// The order page: store, menu, cart and payment, and one attempt at a time to place the order.

import { asGuest, carryOut, guest, insist, pending, repeat, url } from "./api.js";
import { Cart, asItems, available, linesOf, orderToRepeat, showAgain, total } from "./cart.js";
import { Checkout, byCard, habit } from "./checkout.js";
import { arrange, byId, el, isolated, named, onSubmit, say } from "./dom.js";
import { localName, minutes, money, t } from "./language.js";
import { connection, customerShell, problemText, surely } from "./shell.js";

const LOOK_MS = 5_000;

let stores = [];
const menus = {};
let last = null;
let busy = false;

customerShell("order.title");
const cart = new Cart();
const checkout = new Checkout(show);

const storeOf = (id) => stores.find((store) => store.store_id === id);
const menuOfCart = () => menus[cart.storeId] ?? [];

// What the stores say

async function look() {
	stores = (await asGuest("GET", "/stores")).items;
	if (!storeOf(cart.storeId)) {
		cart.choose((stores.find((store) => store.open) ?? stores[0])?.store_id);
	}
	const needed = new Set([cart.storeId, last?.store_id].filter(Boolean));
	await Promise.all([...needed].map(loadMenu));
	show();
}

async function loadMenu(id) {
	menus[id] = (await asGuest("GET", url`/stores/${id}/menu`)).items;
}

const lookNow = () => surely(look);

// What the page shows

function show() {
	arrange(byId("stores"), stores.map(storeChoice));
	arrange(byId("menu"), menuOfCart().map(menuRow));
	showCheckout();
	showLast();
}

const rows = new Map();

/** Return the element made for a key before, which may have the focus, or a new one. */
function row(key, make) {
	if (!rows.has(key)) rows.set(key, make());
	return rows.get(key);
}

function storeChoice(store) {
	const value = store.store_id;
	const choice = row(`store ${value}`, () => {
		const onchange = () => {
			cart.choose(value);
			lookNow();
		};
		return el(
			"label.choice.store",
			{ "data-store": value },
			el("input", { type: "radio", name: "store", value, onchange }),
			el("span.name", named(localName(store.name))),
			el("span.soft"),
		);
	});
	choice.firstChild.checked = value === cart.storeId;
	choice.classList.toggle("closed", !store.open);
	say(choice.lastChild, queueText(store));
	return choice;
}

function queueText({ open, queue_length: n, estimated_wait_s: wait }) {
	if (!open) return t("store.closed");
	return `${t("store.queue", { n })} · ${t("store.wait", { wait: minutes(wait) })}`;
}

function choose(menuId, quantity) {
	cart.set(menuId, quantity);
	show();
}

function menuRow({ menu_id: id, name: called, price, currency, sold_out: soldOut }) {
	const name = localName(called);
	const line = row(`menu ${cart.storeId} ${id}`, () => {
		const step = (by, sign, key) => {
			const onclick = () => choose(id, cart.quantity(id) + by);
			return el("button.round", { "aria-label": t(key, { name: isolated(name) }), onclick }, sign);
		};
		return el(
			"li",
			{ "data-menu": id },
			el("div.dish", el("span.name", named(name)), el("span.soft")),
			step(-1, "−", "menu.less"),
			el("output"),
			step(1, "+", "menu.more"),
		);
	});
	const quantity = cart.quantity(id);
	const [dish, less, count, more] = line.children;
	line.classList.toggle("sold-out", soldOut);
	line.classList.toggle("chosen", quantity > 0);
	const cost = money(price, currency);
	say(dish.lastChild, soldOut ? `${cost} · ${t("menu.sold-out")}` : cost);
	say(count, quantity ? `${quantity}` : "");
	less.hidden = quantity === 0;
	more.disabled = soldOut;
	return line;
}

function showCheckout() {
	const lines = cart.lines(menuOfCart());
	const store = storeOf(cart.storeId);
	const price = money(total(lines), store?.currency ?? "KRW");
	const count = available(lines).reduce((sum, { quantity }) => sum + quantity, 0);
	const order = busy ? "order.placing" : checkout.paysNow ? "order.place" : "order.place-later";
	arrange(byId("cart"), lines.map(cartLine));
	byId("cart-empty").hidden = lines.length > 0;
	say("total", count ? price : "");
	say("wait", store ? `${localName(store.name)} · ${queueText(store)}` : "");
	say("place", t(order, { price }));
	byId("place").disabled = busy || count === 0 || !store?.open;
	byId("to-checkout").hidden = count === 0;
	say("to-checkout", t("cart.bar", { n: count, price }));
}

function cartLine({ item, quantity }) {
	const { menu_id: id, name: called, price, currency, sold_out: soldOut } = item;
	const name = localName(called);
	const line = row(`cart ${cart.storeId} ${id}`, () => {
		const label = t("cart.remove", { name: isolated(name) });
		return el(
			"li",
			el("span.quantity"),
			el("span.name", named(name)),
			el("span"),
			el("button.quiet", { "aria-label": label, onclick: () => choose(id, 0) }, "×"),
		);
	});
	const [count, , amount] = line.children;
	line.classList.toggle("sold-out", soldOut);
	say(count, `${quantity} ×`);
	say(amount, soldOut ? t("menu.sold-out") : money(price * quantity, currency));
	return line;
}

function showLast() {
	const store = storeOf(last?.store_id);
	const menu = menus[last?.store_id];
	if (!store || !menu || !linesOf(last, menu).length) return;
	const edit = () => {
		cart.replace(last.store_id, last.items);
		lookNow();
		byId("checkout").focus();
	};
	showAgain(last, store, menu, { again: () => placeAgain(menu), edit, busy });
}

// Placing

function placeChosen() {
	if (busy || !checkout.check() || goesOnWithAnother()) return;
	const { payment, contact } = checkout;
	place({ contact, storeId: cart.storeId, lines: cart.lines(menuOfCart()), payment });
}

function placeAgain(menu) {
	const { name, tel } = last.customer;
	const contact = name ? { name, tel } : checkout.contact;
	if (busy || !(contact.name || checkout.check()) || goesOnWithAnother()) return;
	const { now, token } = habit();
	const payment = now ? byCard(token) : undefined;
	place({ contact, storeId: last.store_id, lines: linesOf(last, menu), payment });
}

async function place({ contact, storeId, lines, payment }) {
	setBusy(true);
	try {
		const { subject } = await insist(guest, unanswered);
		const items = asItems(lines);
		await send({ customer: { id: subject, ...contact }, store_id: storeId, items, payment });
	} catch (error) {
		refuse(error);
	}
}

/** Send an order, or the one that waits for its answer, and follow it. */
async function send(body, { keepCart = false } = {}) {
	const order = await carryOut("order", { path: "/orders", body }, unanswered);
	if (!keepCart) cart.clear();
	location.assign(`/my/${order.order_id}`);
}

function unanswered() {
	byId("unanswered").hidden = false;
	say("unanswered-text", t(navigator.onLine ? "attempt.retrying" : "connection.offline"));
}

function refuse(error) {
	const text = problemText(error);
	byId("unanswered").hidden = true;
	setBusy(false);
	say("refusal", text);
	lookNow();
}

function setBusy(value) {
	busy = value;
	say("refusal", "");
	show();
}

function resume(options) {
	setBusy(true);
	unanswered();
	send(null, options).catch(refuse);
}

/** Whether an order of another tab still waits for its answer: it comes first, and this cart stays. */
function goesOnWithAnother() {
	if (!pending("order")) return false;
	resume({ keepCart: true });
	return true;
}

// The page begins

onSubmit("order", placeChosen);
// A page that comes back from the browser's history shows what was, not what is.
onpageshow = (event) => event.persisted && location.reload();

if (pending("order")) resume();
surely(orderToRepeat).then((order) => {
	last = order;
	if (order) lookNow();
});
repeat(look, LOOK_MS, connection);
