// The order page: store, menu, cart and payment, and one attempt at a time to place the order.

import { linesOf, orderToRepeat, showAgain, wanted } from "./again.js";
import { asGuest, pause, repeat, url } from "./api.js";
import { findDropped } from "./attempts.js";
import { Cart, asItems, available, total } from "./cart.js";
import { Checkout, byCard, habit } from "./checkout.js";
import { arrange, byId, disable, el, isolated, keepFocus, onPress, say } from "./dom.js";
import { Errand } from "./errand.js";
import { localName, money, t, when } from "./language.js";
import { Rows, queueText } from "./menu.js";
import { Refusal, isStillSo } from "./refusal.js";
import { connection, customerShell, problemText, surely, toast } from "./shell.js";
import { lasts, onOtherTab } from "./storage.js";

const LOOK_MS = 5_000;
// For the last order; longer for one that was asked for.
const PATIENCE_MS = wanted ? 8_000 : 1_000;

let stores = [];
const menus = {};
let last = null;
let asksFor = null; // the store of an order that waits for a yes: its menu is needed
let shown = null; // what was in the cart when it was shown last

customerShell("order.title");
const cart = new Cart();
const checkout = new Checkout(() => show());
const rows = new Rows(cart, show);
const refusal = new Refusal();

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

/** Show all there is; where that takes away what has the focus, `refuge()` gets it. */
function show(refuge = () => byId("checkout")) {
	keepFocus(() => {
		arrange(byId("stores"), stores.map((store) => rows.store(store, chooseStore)));
		arrange(byId("menu"), menuOfCart().map((item) => rows.dish(item)));
		showCheckout();
		showLast();
		placing.show();
		refusal.check();
	}, refuge);
}

function chooseStore(id) {
	cart.choose(id);
	if (menus[id]) show();
	lookNow();
}

function showCheckout() {
	const lines = cart.lines(menuOfCart());
	const store = storeOf(cart.storeId);
	const price = money(total(lines), store?.currency ?? "KRW");
	const count = available(lines).reduce((sum, { quantity }) => sum + quantity, 0);
	const busy = placing.isUnderWay;
	const order = busy ? "order.placing" : checkout.paysNow ? "order.place" : "order.place-later";
	shown = cart.content;
	arrange(byId("cart"), lines.map((line) => rows.line(line)));
	byId("cart-empty").hidden = lines.length > 0;
	say("total", count ? price : "");
	say("wait", store ? `${localName(store.name)} · ${queueText(store)}` : "");
	say("place", t(order, { price }));
	disable(byId("place"), busy || count === 0 || !store?.open);
	byId("to-checkout").hidden = count === 0;
	say("to-checkout", t("cart.bar", { n: count, price }));
}

function showLast() {
	const store = storeOf(last?.store_id);
	const menu = menus[last?.store_id];
	if (!store || !menu) return;
	const edit = () => {
		if (total(cart.lines(menuOfCart())) > 0) toast(t("again.added"));
		cart.add(last.store_id, last.items);
		lookNow();
		byId("checkout").focus();
	};
	const busy = placing.isUnderWay;
	// Late, it must not push away what is in use by now.
	const isLate = byId("again").hidden && !byId("order").hasAttribute("data-waiting");
	if (isLate) byId("order").after(byId("again"));
	showAgain(last, store, menu, { again: () => placeAgain(menu), edit, busy });
}

// Placing

const placing = new Errand("order", {
	title: "attempt.title",
	button: "place",
	changed: () => show(),
	meant({ at, sent, body }) {
		if (asksFor !== body.store_id) {
			asksFor = body.store_id;
			lookNow();
		}
		const price = priceOf(body);
		if (price === null || (at && !stores.length)) return null;
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
	done(order, { cart: content }) {
		if (content) cart.takeOut(content);
		location.assign(`/my/${order.order_id}`);
	},
	refused: tellRefusal,
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

function tellRefusal(error, { body, cart: content }) {
	const fields = checkout.refuse(error.errors ?? []);
	const about = () => cart.content + (fields && JSON.stringify(checkout.contact));
	const isSo = () => isStillSo(error, body, storeOf(body.store_id), menus[body.store_id]);
	const text = fields ? t("order.check", { fields }) : refusalText(error, body);
	refusal.tell(text, about, isSo);
	if (!content) toast(text); // what was pressed is not where refusals stand
	lookNow();
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
	// Another tab was faster: first see what is there now.
	if (cart.content !== shown) return show();
	if (placing.isUnderWay || !checkout.check()) return;
	const lines = cart.lines(menuOfCart());
	const { payment, contact } = checkout;
	place({ contact, storeId: cart.storeId, lines, payment }, cart.contentOf(lines));
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
	refusal.clear();
	if (!lasts("guest")) return tellNothingLasts();
	const body = {
		customer: contact,
		store_id: storeId,
		items: asItems(lines),
		payment,
		expected_total: total(lines),
	};
	placing.start({ path: "/orders", body, cart: content });
}

/** The next page would not know whose order it is: nobody is charged who cannot see the number. */
function tellNothingLasts() {
	const text = t("order.nothing-lasts");
	refusal.tell(text, () => "", () => true);
	toast(text);
}

// The page begins

onPress("place", placeChosen);
onOtherTab(() => {
	if (menus[cart.storeId]) show();
	else lookNow();
});
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
