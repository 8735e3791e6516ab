// One order, live: the number to be called, how far it is, and what the customer can still do.

import { namesOf } from "./again.js";
import { Problem, asGuest, now, ownId, url } from "./api.js";
import { byCard, chooseCard } from "./checkout.js";
import { byId, disable, el, keepFocus, onPress, onSubmit, say } from "./dom.js";
import { Errand } from "./errand.js";
import { follow } from "./follow.js";
import { localName, money, t, tellCode, when } from "./language.js";
import { orderLines, reasonText, showHistory } from "./order-view.js";
import { connection, customerShell, problemText, setTitle, surely, toast } from "./shell.js";

const orderId = ownId();
const address = url`/orders/${orderId}`;
const LOOK_MS = 5_000;
const ANY_MOMENT_MS = 120_000;
const CANCELABLE = ["PLACED", "PAID", "ACCEPTED"];
const STEPS = [
	["placed", () => order.placed_at],
	["paid", () => order.paid_at],
	["accepted", () => order.accepted_at],
	["preparing", () => startedAt],
	["ready", () => order.ready_at],
	["picked_up", () => order.picked_up_at],
];

let order = null;
let store = null;
let startedAt = null;
let payBefore = null;

customerShell("column.order");
const card = chooseCard();

// What the page shows

function show() {
	keepFocus(draw, () => byId("headline"));
}

function draw() {
	const { order_status: status, pickup_number: called } = order;
	endQuestion();
	byId("order").hidden = false;
	byId("loading").hidden = true;
	byId("call").dataset.status = status;
	say("store", store ? localName(store.name) : "");
	byId("number-label").hidden = called === null;
	say("number", called ?? "");
	say("headline", headline());
	say("subline", subline());
	showProgress();
	showPayment();
	byId("items").replaceChildren(...orderLines(order));
	say("total", money(order.total, order.currency));
	say("money", moneyText());
	byId("reorder").href = `/?again=${orderId}`;
	byId("cancel").hidden = !CANCELABLE.includes(status);
	disable(byId("cancel"), canceling.isUnderWay);
	say("cancel-note", cancelNote());
	setTitle(called ? `${called} · ${t(`status.${status}`)}` : t(`status.${status}`));
}

/** Close the question whether to cancel, once the order has gone past it. */
function endQuestion() {
	const dialog = byId("cancel-dialog");
	if (!dialog.open || CANCELABLE.includes(order.order_status)) return;
	dialog.close("keep");
	toast(tooLateText());
}

const tooLateText = () =>
	tellCode(`problem.not_cancelable-${order.order_status}`, t("problem.not_cancelable"));

const isCanceled = () => order.order_status.startsWith("CANCEL");
const isDeclined = () => order.payment_status === "DECLINED";
const isPaying = () => order.payment_status === "PENDING" || paying.isUnderWay;

function headline() {
	if (order.order_status !== "PLACED") return t(`headline.${order.order_status}`);
	if (isPaying()) return t("headline.PAYING");
	return t(isDeclined() ? "headline.DECLINED" : "headline.PLACED");
}

function subline() {
	if (isCanceled()) return reasonText(order.cancel_reason);
	if (order.order_status === "READY") return t("one.come");
	if (!store) return ""; // whose time is not known yet
	const at = (time) => ({ time: when(time, store.time_zone) });
	switch (order.order_status) {
		case "PLACED":
			return payBefore && !isPaying() ? t("one.pay-before", at(payBefore)) : "";
		case "ACCEPTED":
		case "PREPARING":
			return t(promiseText(), at(order.estimated_ready_at));
	}
	return "";
}

function promiseText() {
	const late = now() - new Date(order.estimated_ready_at);
	if (late < 0) return "one.ready-about";
	const isNearly = order.order_status === "PREPARING" && late < ANY_MOMENT_MS;
	return isNearly ? "one.any-moment" : "one.late";
}

function showProgress() {
	// Of a cancelled order: how far it had come, and that it ends here.
	const path = isCanceled()
		? [...STEPS.filter(([, at]) => at()), ["canceled", () => order.canceled_at]]
		: STEPS;
	const reached = isCanceled()
		? path.length - 1
		: path.findIndex(([step]) => step === order.order_status.toLowerCase());
	const steps = path.map(([step, at], place) => {
		const state = place < reached ? "done" : place === reached ? "now" : "to-come";
		return el(
			"li",
			{ "data-step": step, "data-state": state, "aria-current": state === "now" && "step" },
			el("span", t(`step.${step}`)),
			el("time", place <= reached && store ? when(at(), store.time_zone) : ""),
		);
	});
	byId("progress").replaceChildren(...steps);
}

function showPayment() {
	const price = money(order.total, order.currency);
	const [note, button] = isPaying()
		? ["pay.under-way", "pay.paying"]
		: isDeclined()
			? ["pay.declined", "pay.again"]
			: ["pay.later-note", "pay.button"];
	byId("pay").hidden = order.order_status !== "PLACED";
	say("pay-note", t(note));
	say("pay-button", t(button, { price }));
	disable(byId("pay-button"), isPaying());
	card.disabled = isPaying();
}

// A charge is known once it was approved; before that it may have been made, or not.
const wasNotAsked = () => ["NONE", "DECLINED"].includes(order.payment_status) && !paying.isWaiting;

function moneyText() {
	if (!isCanceled()) return t(`payment.${order.payment_status}`);
	if (wasNotAsked()) return t("money.never");
	const state = order.order_status === "CANCELED" ? "refunded" : "refunding";
	return t(order.paid_at ? `money.${state}` : `money.${state}-if-charged`);
}

function cancelNote() {
	if (order.paid_at) return t("cancel.refund");
	return t(wasNotAsked() ? "cancel.free" : "cancel.refund-if-charged");
}

// What the customer does

const meant = (key) => ({ at, sent }) => {
	if (at && !store) return null;
	const price = money(order.total, order.currency);
	const time = at ? when(at, store.time_zone) : t("attempt.earlier");
	return [
		t(key, { price, time }),
		t(sent === false ? "attempt.not-sent" : "attempt.maybe-sent"),
	].join(" ");
};

const paying = new Errand(`payment.${orderId}`, {
	title: "headline.PAYING",
	button: "pay-button",
	meant: meant("attempt.pay"),
	changed: show,
	done: seen,
	refused: tellUnpaid,
	dropped: () => toast(t("attempt.stopped")),
});

const canceling = new Errand(`cancel.${orderId}`, {
	title: "headline.CANCELING",
	button: "cancel",
	meant: meant("attempt.cancel"),
	changed: show,
	done: seen,
	refused: (error) => toast(error.code === "not_cancelable" ? tooLateText() : problemText(error)),
	dropped: () => toast(t("attempt.stopped")),
});

/** Say why there was no payment; what is not to be had is looked up, since only that is known. */
async function tellUnpaid(error) {
	if (error.status === 402) return; // the order says that it was declined
	if (!["sold_out", "unknown_menu_item"].includes(error.code)) {
		return say("pay-refusal", problemText(error));
	}
	const menu = await surely(() => asGuest("GET", url`/stores/${order.store_id}/menu`));
	const isThere = (id) => menu.items.some((item) => item.menu_id === id && !item.sold_out);
	const gone = order.items.filter(({ menu_id: id }) => !isThere(id));
	const names = namesOf(gone.length ? gone : order.items);
	if (order.order_status === "PLACED") say("pay-refusal", t("pay.sold-out", { names }));
}

function pay() {
	if (isPaying()) return;
	say("pay-refusal", "");
	paying.start({ path: `${address}/payment`, body: byCard(card.value) });
}

const cancel = () =>
	canceling.start({ path: `${address}/cancel`, body: { reason: "customer_request" } });

/** Go on with what an earlier page left, or ask; forget what the order has overtaken. */
function goOn() {
	if (!CANCELABLE.includes(order.order_status)) canceling.forget();
	if (order.order_status !== "PLACED" || order.payment_status === "PENDING") paying.forget();
	if (canceling.isWaiting) canceling.resume();
	else paying.resume();
}

// Following

/** Take in the order, unless a newer one is known. */
function seen(detail) {
	if (order && detail.version < order.version) return;
	const isNews = order?.order_status !== detail.order_status;
	if (order && order.version < detail.version) say("pay-refusal", "");
	order = detail;
	goOn();
	show();
	if (isNews && order.order_status === "READY") navigator.vibrate?.([200, 100, 200]);
	loadHistory();
}

function tellState(state) {
	byId("live").dataset.state = state;
	say("live", state === "done" ? "" : t(`live.${state}`));
	if (state === "reconnecting") connection.lost();
	else connection.fine();
}

async function loadHistory() {
	const { items } = await surely(() => asGuest("GET", `${address}/events?limit=200`));
	startedAt = items.find(({ type }) => type === "PreparationStarted")?.at ?? null;
	payBefore = items[0].data.payment_due;
	if (store) showHistory(items, store.time_zone, order.cancel_reason);
	show();
}

async function loadStore() {
	const { items } = await surely(() => asGuest("GET", "/stores"));
	const id = order.store_id;
	const unknown = { name: id, time_zone: "UTC" };
	store = items.find(({ store_id }) => store_id === id) ?? unknown;
	show();
	(canceling.isAsking ? canceling : paying).show(); // which says when it was meant
	loadHistory();
}

function look(detail) {
	const isFirst = order === null;
	seen(detail);
	if (isFirst) loadStore();
}

onSubmit("pay-form", pay);
card.addEventListener("change", () => say("pay-refusal", ""));
onPress("cancel", () => {
	byId("cancel-dialog").returnValue = "keep";
	byId("cancel-dialog").showModal();
});
byId("cancel-dialog").onclose = ({ target }) => target.returnValue === "cancel" && cancel();

// A promise is over at its time, without any news.
setInterval(() => order && say("subline", subline()), LOOK_MS);

follow(orderId, look, tellState).catch((error) => {
	if (!(error instanceof Problem)) throw error;
	byId("missing").hidden = false;
	byId("loading").hidden = true;
	byId("order").hidden = true;
});
