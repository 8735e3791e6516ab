// The counter's settings: open or closed, how much the store takes on, and what is sold out.

import { arrange, byId, el, named, say } from "./dom.js";
import { Problem, insist } from "./http.js";
import { asStaff } from "./identity.js";
import { localName, number, t, tellCode } from "./language.js";
import { connection, toast } from "./shell.js";

export class Counter {
  #address;
  #changing = 0;
  #rows = new Map();

  constructor(storeId) {
    this.#address = `/stores/${encodeURIComponent(storeId)}`;
    byId("settings").addEventListener("click", () => byId("counter").showModal());
    byId("open").addEventListener("change", ({ target }) =>
      this.#change("", { open: target.checked }),
    );
    byId("capacity-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const { value } = byId("capacity");
      this.#change("", { capacity: value === "" ? null : Number(value) });
    });
  }

  /** Read the store and its menu, show them, and return the store. Raises what the API says. */
  async look() {
    const [store, menu] = await Promise.all([
      asStaff("GET", this.#address),
      asStaff("GET", `${this.#address}/menu`),
    ]);
    if (this.#changing === 0) this.#show(store, menu.items); // else it may be older than a switch
    return store;
  }

  #show(store, items) {
    byId("open").checked = store.open;
    if (document.activeElement !== byId("capacity")) byId("capacity").value = store.capacity ?? "";
    byId("open-state").dataset.open = store.open;
    say(byId("open-state"), this.#state(store));
    arrange(
      byId("switches"),
      items.map((item) => this.#switch(item)),
    );
  }

  #state({ open, queue_length: queued, capacity }) {
    if (!open) return t("store.closed");
    const queue = t("store.queue", { n: number(queued) });
    const room = capacity === null ? "" : ` · ${t("counter.at-most", { n: number(capacity) })}`;
    return `${t("store.open")} · ${queue}${room}`;
  }

  #switch(item) {
    const id = item.menu_id;
    if (!this.#rows.has(id)) {
      const onchange = ({ target }) =>
        this.#change(`/menu/${encodeURIComponent(id)}`, { sold_out: target.checked });
      const input = el("input", { type: "checkbox", role: "switch", onchange });
      const text = el("span", {}, named(localName(item.name)));
      this.#rows.set(
        id,
        el("li", { "data-menu": id }, el("label", { class: "switch sold" }, input, text)),
      );
    }
    const row = this.#rows.get(id);
    row.querySelector("input").checked = item.sold_out;
    return row;
  }

  async #change(path, body) {
    this.#changing += 1;
    try {
      await insist(() => asStaff("PATCH", this.#address + path, { body }), connection.lost);
      toast(t("counter.saved"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(tellCode(`problem.${error.code}`, error.message));
    } finally {
      this.#changing -= 1;
      await insist(() => this.look(), connection.lost);
    }
  }
}
