// A table for the owner: filtered, paged by cursor, and each row can be opened. The address says
// what is filtered and open, so that it can be kept, and the browser's buttons work.

import { byId, el } from "./dom.js";
import { Problem, insist } from "./http.js";
import { asStaff } from "./identity.js";
import { t, tellCode } from "./language.js";
import { showHistory } from "./order-view.js";
import { connection, toast } from "./shell.js";

const LIMIT = 25;

export class Table {
  #path;
  #columns;
  #opened;
  #cursors = [null];
  #next = null;

  /**
   * `columns` are `[title, row => content]`, the first one the row's name; `idName` names a row's
   * id in it and in the address; `open` returns what a row shows when it is opened.
   */
  constructor(path, { columns, idName, open }) {
    this.#path = path;
    this.#columns = columns;
    this.#opened = { idName, open };
    const heads = columns.map(([title]) => el("th", { scope: "col" }, t(title)));
    document.querySelector("thead tr").append(...heads);
    this.#listen();
  }

  /** Show what the address asks for. */
  async begin() {
    const query = new URLSearchParams(location.search);
    for (const field of byId("filters").elements) {
      if (field.name) field.value = query.get(field.name) ?? "";
    }
    this.#cursors = [null];
    await this.#load();
    const id = query.get(this.#opened.idName);
    if (id) await this.#open(id);
    else byId("opened").close();
  }

  #listen() {
    byId("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#filter();
    });
    byId("filters").addEventListener("reset", () => setTimeout(() => this.#filter()));
    byId("older").addEventListener("click", () => {
      this.#cursors.push(this.#next);
      this.#load();
    });
    byId("newer").addEventListener("click", () => {
      this.#cursors.pop();
      this.#load();
    });
    byId("opened").addEventListener("close", () => this.#go({ [this.#opened.idName]: null }));
    addEventListener("popstate", () => this.begin());
  }

  #filter() {
    this.#cursors = [null];
    this.#go(Object.fromEntries(new FormData(byId("filters"))));
    this.#load();
  }

  /** Change some parameters of the address. */
  #go(parameters) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(parameters)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const search = query.size ? `?${query}` : "";
    if (search !== location.search) history.pushState(null, "", location.pathname + search);
  }

  async #load() {
    const query = new URLSearchParams({ limit: LIMIT });
    for (const [name, value] of new FormData(byId("filters"))) if (value) query.set(name, value);
    const cursor = this.#cursors.at(-1);
    if (cursor !== null) query.set("cursor", cursor);
    try {
      this.#show(await insist(() => asStaff("GET", `${this.#path}?${query}`), connection.lost));
      connection.fine();
    } catch (error) {
      tell(error);
    }
  }

  #show({ items, next_cursor: next }) {
    this.#next = next;
    document.querySelector("tbody").replaceChildren(...items.map((item) => this.#row(item)));
    byId("none").hidden = items.length > 0;
    byId("newer").disabled = this.#cursors.length === 1;
    byId("older").disabled = next === null;
  }

  #row(item) {
    const id = item[this.#opened.idName];
    const [[firstTitle, first], ...others] = this.#columns;
    const onclick = () => {
      this.#go({ [this.#opened.idName]: id });
      this.#open(id);
    };
    const button = el("button", { type: "button", class: "link", onclick }, first(item));
    return el(
      "tr",
      { "data-row": id },
      el("th", { scope: "row", "data-title": t(firstTitle) }, button),
      ...others.map(([title, content]) => el("td", { "data-title": t(title) }, content(item))),
    );
  }

  async #open(id) {
    try {
      const { facts, orderId, timeZone } = await insist(
        () => this.#opened.open(id),
        connection.lost,
      );
      const entries = facts.flatMap(([title, content]) => [
        el("dt", {}, t(title)),
        el("dd", {}, ...[content].flat()),
      ]);
      byId("facts").replaceChildren(...entries);
      const path = `/orders/${encodeURIComponent(orderId)}/events`;
      const { items } = await insist(() => asStaff("GET", path), connection.lost);
      showHistory(byId("history"), items, timeZone);
      if (!byId("opened").open) byId("opened").showModal();
    } catch (error) {
      tell(error);
    }
  }
}

/** Fill a select with "all" and what there is. */
export function fillSelect(select, options) {
  const all = el("option", { value: "" }, t("filter.all"));
  select.replaceChildren(all, ...options.map(([value, text]) => el("option", { value }, text)));
}

function tell(error) {
  if (!(error instanceof Problem)) throw error;
  toast(tellCode(`problem.${error.code}`, error.message));
}
