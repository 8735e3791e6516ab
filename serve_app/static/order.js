// The order page: store, menu, cart and payment, and one attempt at a time to place the order.

import { carryOut, pending } from "./attempt.js";
import { Cart, asItems, available, total } from "./cart.js";
import { Checkout } from "./checkout.js";
import { arrange, byId, el, isolated, named, say } from "./dom.js";
import { Problem, insist, repeat } from "./http.js";
import { asGuest, guest } from "./identity.js";
import { localName, minutes, money, number, t, tellCode } from "./language.js";
import { byCard, habit } from "./payment.js";
import { linesOf, orderToRepeat, showAgain } from "./reorder.js";
import { connection, customerShell } from "./shell.js";

const LOOK_MS = 5_000;

let stores = [];
const menus = {};
let last = null;
let busy = false;

customerShell("order.title");
const cart = new Cart();
const checkout = new Checkout(show);

const chosenStore = () => stores.find((store) => store.store_id === cart.storeId);
const chosenLines = () => cart.lines(menus[cart.storeId] ?? []);

// --- what the stores say ------------------------------------------------------------------------

async function look() {
  stores = (await asGuest("GET", "/stores")).items;
  if (!chosenStore()) cart.choose((stores.find((store) => store.open) ?? stores[0])?.store_id);
  const needed = new Set([cart.storeId, last?.store_id].filter(Boolean));
  await Promise.all([...needed].map(loadMenu));
  show();
}

async function loadMenu(storeId) {
  menus[storeId] = (await asGuest("GET", `/stores/${encodeURIComponent(storeId)}/menu`)).items;
}

function lookNow() {
  return insist(look, connection.lost).then(connection.fine);
}

// --- what the page shows ------------------------------------------------------------------------

function show() {
  arrange(byId("stores"), stores.map(storeChoice));
  arrange(byId("menu"), (menus[cart.storeId] ?? []).map(menuRow));
  showCheckout();
  showLast();
}

const rows = new Map();

/** Return the element made for a key before, or a new one: focus stays where it was. */
function row(key, make) {
  if (!rows.has(key)) rows.set(key, make());
  return rows.get(key);
}

function storeChoice(store) {
  const id = store.store_id;
  const choice = row(`store ${id}`, () => {
    const onchange = () => {
      cart.choose(id);
      lookNow();
    };
    const radio = el("input", { type: "radio", name: "store", value: id, onchange });
    const name = el("span", { class: "name" }, named(localName(store.name)));
    return el(
      "label",
      { class: "choice store", "data-store": id },
      radio,
      name,
      el("span", { class: "soft" }),
    );
  });
  choice.querySelector("input").checked = id === cart.storeId;
  choice.classList.toggle("closed", !store.open);
  say(choice.lastChild, store.open ? queueText(store) : t("store.closed"));
  return choice;
}

function queueText({ queue_length: queued, estimated_wait_s: wait }) {
  const queue = queued ? t("store.queue", { n: number(queued) }) : t("store.no-queue");
  return `${queue} · ${t("store.wait", { wait: minutes(wait) })}`;
}

function menuRow(item) {
  const id = item.menu_id;
  const name = localName(item.name);
  const line = row(`menu ${cart.storeId} ${id}`, () => {
    const step = (by) => () => {
      cart.set(id, cart.quantity(id) + by);
      show();
    };
    const button = (by, sign, key) =>
      el(
        "button",
        {
          type: "button",
          class: "round",
          "aria-label": t(key, { name: isolated(name) }),
          onclick: step(by),
        },
        sign,
      );
    const stepper = el(
      "div",
      { class: "stepper" },
      button(-1, "−", "menu.less"),
      el("output"),
      button(1, "+", "menu.more"),
    );
    const text = el(
      "div",
      { class: "dish" },
      el("span", { class: "name" }, named(name)),
      el("span", { class: "price" }),
    );
    return el("li", { "data-menu": id }, text, stepper);
  });
  const quantity = cart.quantity(id);
  const [less, count, more] = line.querySelector(".stepper").children;
  line.classList.toggle("sold-out", item.sold_out);
  line.classList.toggle("chosen", quantity > 0);
  const price = money(item.price, item.currency);
  say(line.querySelector(".price"), item.sold_out ? `${price} · ${t("menu.sold-out")}` : price);
  say(count, quantity ? number(quantity) : "");
  less.hidden = quantity === 0;
  more.disabled = item.sold_out;
  return line;
}

function showCheckout() {
  const lines = chosenLines();
  const store = chosenStore();
  const price = money(total(lines), store?.currency ?? "KRW");
  const count = available(lines).reduce((sum, { quantity }) => sum + quantity, 0);
  arrange(byId("cart"), lines.map(cartLine));
  byId("cart-empty").hidden = lines.length > 0;
  say(byId("total"), count ? price : "");
  say(
    byId("wait"),
    store
      ? `${localName(store.name)} · ${store.open ? queueText(store) : t("store.closed-now")}`
      : "",
  );
  say(
    byId("place"),
    busy
      ? t("order.placing")
      : t(checkout.paysNow ? "order.place" : "order.place-later", { price }),
  );
  byId("place").disabled = busy || count === 0 || !store?.open;
  byId("to-checkout").hidden = count === 0;
  say(byId("to-checkout"), t("cart.bar", { n: number(count), price }));
}

function cartLine({ item, quantity }) {
  const name = localName(item.name);
  const line = row(`cart ${cart.storeId} ${item.menu_id}`, () => {
    const onclick = () => {
      cart.set(item.menu_id, 0);
      show();
    };
    const remove = el(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": t("cart.remove", { name: isolated(name) }),
        onclick,
      },
      "×",
    );
    return el(
      "li",
      {},
      el("span", { class: "quantity" }),
      el("span", { class: "name" }, named(name)),
      el("span", { class: "amount" }),
      remove,
    );
  });
  const [count, , amount] = line.children;
  line.classList.toggle("sold-out", item.sold_out);
  say(count, `${number(quantity)} ×`);
  say(amount, item.sold_out ? t("menu.sold-out") : money(item.price * quantity, item.currency));
  return line;
}

function showLast() {
  const store = stores.find(({ store_id }) => store_id === last?.store_id);
  const menu = menus[last?.store_id];
  if (!store || !menu || !linesOf(last, menu).length) return;
  const edit = () => {
    cart.replace(last.store_id, last.items);
    lookNow();
    byId("checkout").focus();
  };
  showAgain(last, store, menu, { again: () => placeAgain(menu), edit, busy });
}

// --- placing ------------------------------------------------------------------------------------

async function placeChosen() {
  if (busy || !checkout.check()) return;
  const { payment, contact } = checkout;
  await place({ contact, storeId: cart.storeId, lines: chosenLines(), payment });
}

async function placeAgain(menu) {
  const { name, tel } = last.customer;
  const contact = name ? { name, tel } : checkout.contact;
  if (busy || !(contact.name || checkout.check())) return;
  const { now, token } = habit();
  const payment = now ? byCard(token) : undefined;
  await place({ contact, storeId: last.store_id, lines: linesOf(last, menu), payment });
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

/** Send an order, or the one that waits for its answer, and go where it can be followed. */
async function send(body) {
  const order = await carryOut("order", { path: "/orders", body }, unanswered);
  cart.clear();
  location.assign(`/my/${order.order_id}`);
}

function unanswered() {
  byId("unanswered").hidden = false;
  say(byId("unanswered-text"), t(navigator.onLine ? "attempt.retrying" : "attempt.offline"));
}

function refuse(error) {
  if (!(error instanceof Problem)) throw error;
  byId("unanswered").hidden = true;
  say(byId("refusal"), tellCode(`problem.${error.code}`, error.message));
  setBusy(false);
  lookNow();
}

function setBusy(value) {
  busy = value;
  if (value) say(byId("refusal"), "");
  show();
}

async function resume() {
  setBusy(true);
  unanswered();
  say(byId("unanswered-text"), t("attempt.resumed"));
  await send(null).catch(refuse);
}

// --- the page begins ----------------------------------------------------------------------------

byId("order").addEventListener("submit", (event) => {
  event.preventDefault();
  placeChosen();
});
// Where the cart itself can be seen, nobody needs the way to it.
new IntersectionObserver(([{ isIntersecting }]) => {
  byId("to-checkout").classList.toggle("away", isIntersecting);
}).observe(byId("checkout"));
// A page that comes back from the browser's history shows what was, not what is.
addEventListener("pageshow", (event) => event.persisted && location.reload());

if (pending("order")) resume();
insist(orderToRepeat, connection.lost).then((order) => {
  last = order;
  if (order) lookNow();
});
repeat(look, LOOK_MS, { onFine: connection.fine, onTrouble: connection.lost });
