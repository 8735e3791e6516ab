// One order, live: the number to be called, how far it is, and what the customer can still do.

import { carryOut, newKey, pending } from "./attempt.js";
import { byId, el, say } from "./dom.js";
import { follow } from "./follow.js";
import { Problem, insist } from "./http.js";
import { asGuest } from "./identity.js";
import { clock, localName, money, t, tellCode } from "./language.js";
import { orderLines, reasonText, showHistory } from "./order-view.js";
import { byCard, chooseCard } from "./payment.js";
import { connection, customerShell, setTitle, toast } from "./shell.js";

const orderId = decodeURIComponent(location.pathname.split("/")[2]);
const address = `/orders/${encodeURIComponent(orderId)}`;
const payment = `payment.${orderId}`;
const CANCELABLE = ["PLACED", "PAID", "ACCEPTED"];
const STEPS = [
  ["placed", ({ placed_at }) => placed_at],
  ["paid", ({ paid_at }) => paid_at],
  ["accepted", ({ accepted_at }) => accepted_at],
  ["preparing", () => startedAt],
  ["ready", ({ ready_at }) => ready_at],
  ["picked-up", ({ picked_up_at }) => picked_up_at],
];
const REACHED = { PLACED: 0, PAID: 1, ACCEPTED: 2, PREPARING: 3, READY: 4, PICKED_UP: 5 };

let order = null;
let store = null;
let startedAt = null;
let payBefore = null;
let canceling = false;

customerShell("one.title");
const card = chooseCard(byId("card-choice"));

// --- what the page shows ------------------------------------------------------------------------

function show() {
  const { order_status: status, pickup_number: called } = order;
  byId("order").hidden = false;
  byId("call").dataset.status = status;
  say(byId("store"), store ? localName(store.name) : "");
  byId("number-label").hidden = called === null;
  say(byId("number"), called ?? "");
  say(byId("headline"), headline());
  say(byId("subline"), subline());
  showProgress();
  showPayment();
  byId("items").replaceChildren(...orderLines(order));
  say(byId("total"), money(order.total, order.currency));
  say(byId("money"), moneyText());
  byId("reorder").href = `/?again=${orderId}`;
  byId("cancel").hidden = !CANCELABLE.includes(status);
  byId("cancel").disabled = canceling;
  setTitle(called ? `${called} · ${t(`status.${status}`)}` : t(`status.${status}`));
}

const isDeclined = () => order.payment_status === "DECLINED";
const isPaying = () => order.payment_status === "PENDING" || pending(payment) !== null;

function headline() {
  if (order.order_status !== "PLACED") return t(`headline.${order.order_status}`);
  if (isPaying()) return t("headline.PAYING");
  return t(isDeclined() ? "headline.DECLINED" : "headline.PLACED");
}

function subline() {
  const zone = store?.time_zone;
  switch (order.order_status) {
    case "PLACED":
      return payBefore && !isPaying() ? t("one.pay-before", { time: clock(payBefore, zone) }) : "";
    case "ACCEPTED":
    case "PREPARING":
      return t("one.ready-about", { time: clock(order.estimated_ready_at, zone) });
    case "READY":
      return t("one.come");
    case "CANCELING":
    case "CANCELED":
      return reasonText(order.cancel_reason);
  }
  return "";
}

function showProgress() {
  const status = order.order_status;
  const canceled = status === "CANCELED" || status === "CANCELING";
  const reached = canceled ? STEPS.findLastIndex(([, at]) => at(order)) : REACHED[status];
  const steps = STEPS.map(([step, at], place) => {
    const state = place < reached ? "done" : place === reached ? "now" : "to-come";
    const time = place <= reached ? clock(at(order), store?.time_zone) : "";
    const attributes = {
      "data-step": step,
      "data-state": state,
      "aria-current": state === "now" && "step",
    };
    return el(
      "li",
      attributes,
      el("span", { class: "step-name" }, t(`step.${step}`)),
      el("span", { class: "step-time" }, time),
    );
  });
  byId("progress").classList.toggle("canceled", canceled);
  byId("progress").replaceChildren(...steps);
}

function showPayment() {
  const price = money(order.total, order.currency);
  byId("pay").hidden = order.order_status !== "PLACED";
  say(
    byId("pay-note"),
    isPaying() ? t("pay.under-way") : t(isDeclined() ? "pay.declined" : "pay.open"),
  );
  say(
    byId("pay-button"),
    t(isPaying() ? "pay.paying" : isDeclined() ? "pay.again" : "pay.button", { price }),
  );
  byId("pay-button").disabled = card.disabled = isPaying();
}

function moneyText() {
  const { order_status: status, payment_status: paid } = order;
  if (status === "CANCELED") return t(paid === "CANCELED" ? "money.refunded" : "money.never");
  if (status === "CANCELING")
    return t(["NONE", "DECLINED"].includes(paid) ? "money.never" : "money.refunding");
  return t(`payment.${paid}`);
}

// --- what the customer does ---------------------------------------------------------------------

async function pay() {
  const request = { path: `${address}/payment`, body: byCard(card.value) };
  say(byId("pay-refusal"), "");
  const answer = carryOut(payment, request, connection.lost);
  show();
  try {
    seen(await answer);
    connection.fine();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status !== 402)
      say(byId("pay-refusal"), tellCode(`problem.${error.code}`, error.message));
  }
  show();
}

async function cancel() {
  canceling = true;
  show();
  const key = newKey();
  try {
    const body = { reason: "customer_request" };
    seen(
      await insist(
        () => asGuest("POST", `${address}/cancel`, { body, key, wait: 5 }),
        connection.lost,
      ),
    );
    connection.fine();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(tellCode(`problem.${error.code}`, error.message));
  }
  canceling = false;
  show();
}

// --- following ----------------------------------------------------------------------------------

/** Take in the order as the stream or an answer has it; an older one says nothing. */
function seen(detail) {
  if (order && detail.version < order.version) return;
  const news = order?.order_status !== detail.order_status;
  order = detail;
  show();
  if (news && order.order_status === "READY") navigator.vibrate?.([200, 100, 200]);
  loadHistory();
}

function tellState(state) {
  byId("live").dataset.state = state;
  say(byId("live"), t(`live.${state}`));
  if (state === "reconnecting") connection.lost();
  else connection.fine();
}

async function loadHistory() {
  const { items } = await insist(
    () => asGuest("GET", `${address}/events`),
    () => {},
  );
  startedAt = items.find(({ type }) => type === "PreparationStarted")?.at ?? null;
  payBefore = items[0].data.payment_due;
  showHistory(byId("history"), items, store?.time_zone);
  show();
}

async function loadStore() {
  const { items } = await insist(() => asGuest("GET", "/stores"), connection.lost);
  store = items.find(({ store_id }) => store_id === order.store_id) ?? null;
  show();
  loadHistory();
}

async function begin() {
  try {
    await follow(
      orderId,
      (detail) => {
        const first = order === null;
        seen(detail);
        if (first) loadStore();
        if (first && pending(payment)) pay();
      },
      tellState,
    );
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    byId("missing").hidden = false;
    byId("order").hidden = true;
  }
}

byId("pay-form").addEventListener("submit", (event) => {
  event.preventDefault();
  pay();
});
byId("cancel").addEventListener("click", () => {
  say(
    byId("cancel-note"),
    t(order.payment_status === "APPROVED" ? "cancel.refund" : "cancel.free"),
  );
  byId("cancel-dialog").returnValue = "keep";
  byId("cancel-dialog").showModal();
});
byId("cancel-dialog").addEventListener("close", ({ target }) => {
  if (target.returnValue === "cancel") cancel();
});
begin();
