// The order page: store, menu, cart and payment, and one attempt at a time to place the order.

import { linesOf, orderToRepeat, showAgain } from "./again.js";
import { asGuest, pause, repeat, url } from "./api.js";
import { findDropped } from "./attempts.js";
import { Cart, asItems, available, total } from "./cart.js";
import { Checkout, byCard, habit } from "./checkout.js";
import { arrange, byId, el, isolated, named, onSubmit, say } from "./dom.js";
import { Errand } from "./errand.js";
import { localName, minutes, money, t, when } from "./language.js";
import { connection, customerShell, problemText, surely, toast } from "./shell.js";

const LOOK_MS = 5_000;
const PATIENCE_MS = 1_000;

let stores = [];
const menus = {};
let last = null;
let asksFor = null; // the store of an order that waits for a yes: its menu is needed

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
	const needed = new Set([cart.storeId, last?.store_id, asksFor].filter(storeOf));
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
	placing.show();
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
	const busy = placing.isUnderWay;
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
	if (!store || !menu) return;
	const edit = () => {
		cart.replace(last.store_id, last.items);
		lookNow();
		byId("checkout").focus();
	};
	const busy = placing.isUnderWay;
	showAgain(last, store, menu, { again: () => placeAgain(menu), edit, busy });
}

// Placing

const placing = new Errand("order", {
	title: "attempt.title",
	changed: show,
	meant({ at, sent, body }) {
		if (asksFor !== body.store_id) {
			asksFor = body.store_id;
			lookNow();
		}
		const price = priceOf(body);
		if (price === null) return null;
		const { currency, time_zone: zone } = storeOf(body.store_id) ?? { currency: "KRW" };
		return [
			t("attempt.order", {
				items: itemsText(body),
				price: money(price, currency),
				time: at ? when(at, zone) : t("attempt.earlier"),
			}),
			t(sent === false ? "attempt.not-sent" : "attempt.maybe-sent"),
		].join(" ");
	},
	// Those of an older page did not say what they may cost.
	agreed: (attempt) => ({
		...attempt,
		body: { ...attempt.body, expected_total: priceOf(attempt.body) },
	}),
	done(order, attempt) {
		cart.clear(attempt.cart);
		location.assign(`/my/${order.order_id}`);
	},
	refused(error, { body }) {
		say("refusal", refusalText(error, body));
		lookNow();
	},
	dropped({ sent }) {
		toast(t(sent === false ? "attempt.dropped" : "attempt.looking"));
		tellDropped();
	},
});

/** Return what an order was to cost, null as long as that is not known. */
function priceOf({ expected_total: agreed, store_id: storeId, items }) {
	if (agreed !== undefined) return agreed;
	return menus[storeId] ? total(linesOf({ items }, menus[storeId])) : null;
}

const called = (storeId) => (menu_id) =>
	menus[storeId]?.find((item) => item.menu_id === menu_id)?.name ?? menu_id;

function itemsText({ items, store_id: storeId }) {
	const nameOf = called(storeId);
	const texts = items.map(({ menu_id: id, quantity: n }) => `${n} × ${localName(nameOf(id))}`);
	return isolated(texts.join(", "));
}

function refusalText(error, { store_id: storeId, expected_total: agreed, items }) {
	const { currency } = storeOf(storeId) ?? { currency: "KRW" };
	const place = /^\/items\/(\d+)/.exec(error.errors?.[0].pointer)?.[1];
	const named = error.menu_ids ?? (place ? [items[place].menu_id] : []);
	return problemText(error, {
		before: money(agreed ?? 0, currency),
		price: money(error.total ?? 0, currency),
		names: named.map((id) => isolated(localName(called(storeId)(id)))).join(", "),
	});
}

let told = Promise.resolve();

/** Tell what became of dropped orders that may have arrived, one after the other. */
function tellDropped() {
	const tell = (order) => {
		const link = order && el("a", { href: `/my/${order.order_id}` }, t("attempt.see"));
		toast(order ? [t("attempt.too-late"), " ", link] : t("attempt.dropped"), { stays: true });
	};
	told = told.then(() => findDropped(tell, connection.lost).finally(connection.fine));
}

function placeChosen() {
	if (placing.isUnderWay || !checkout.check()) return;
	const lines = cart.lines(menuOfCart());
	const { payment, contact } = checkout;
	place({ contact, storeId: cart.storeId, lines, payment }, cart.content);
}

function placeAgain(menu) {
	const { name, tel } = last.customer;
	const contact = name ? { name, tel } : checkout.contact;
	if (placing.isUnderWay || !(contact.name || checkout.check())) return;
	const { now, token } = habit();
	const payment = now ? byCard(token) : undefined;
	place({ contact, storeId: last.store_id, lines: linesOf(last, menu), payment });
}

/** Place an order that costs what the page says; one of before that still waits comes first. */
function place({ contact, storeId, lines, payment }, content) {
	say("refusal", "");
	const body = {
		customer: contact,
		store_id: storeId,
		items: asItems(lines),
		payment,
		expected_total: total(lines),
	};
	placing.start({ path: "/orders", body, cart: content });
}

// The page begins

onSubmit("order", placeChosen);
// A page that comes back from the browser's history shows what was, not what is.
onpageshow = (event) => event.persisted && location.reload();

placing.resume();
tellDropped();
const again = surely(orderToRepeat).then((order) => {
	last = order;
	if (order) return lookNow();
});
// All at once, so that nothing moves under a finger; but what is slow is not waited for.
surely(look)
	.then(() => Promise.race([again, pause(PATIENCE_MS)]))
	.then(() => {
		byId("loading").hidden = true;
		byId("order").removeAttribute("data-waiting");
		repeat(look, LOOK_MS, connection);
	});
