// A table for the owner: the address says what is filtered and open.

import { asStaff, url } from "./api.js";
import { byId, el, say } from "./dom.js";
import { t } from "./language.js";
import { showStory } from "./story.js";
import { problemText, surely, toast } from "./shell.js";

const LIMIT = 25;

/**
 * Show rows of `path`, and the one that the address names by `idName`.
 *
 * `columns` and `facts` are `[title, row => content]`, of a row and of an open one; `zone` is of a
 * row's times; `prepare` reads what rows need besides.
 */
export async function showTable(path, { columns, facts, idName, zone, prepare = () => {} }) {
	const query = new URLSearchParams(location.search);
	const opened = query.get(idName)?.trim();
	const unknown = fill(byId("filters").elements, query);
	const cursors = query.getAll("cursor"); // one for each page that was turned
	const filters = [...new FormData(byId("filters")), ["limit", LIMIT]];
	if (cursors.length) filters.push(["cursor", cursors.at(-1)]);

	const attempt = (action) => action().catch((error) => toast(problemText(error)));
	const load = async () => {
		const given = new URLSearchParams(filters.filter(([, value]) => value));
		const page = await surely(() => asStaff("GET", `${path}?${given}`));
		await prepare(page.items);
		document.querySelector("tbody").replaceChildren(...page.items.map(row));
		byId("none").hidden = page.items.length > 0;
		byId("older").parentNode.hidden = false;
		byId("newer").disabled = cursors.length === 0;
		byId("older").disabled = page.next_cursor === null;
		byId("older").onclick = () => turn([...cursors, page.next_cursor]);
		const zones = new Set(page.items.map(zone).filter(Boolean));
		say("zones", zones.size ? t("table.zones", { zones: [...zones].join(", ") }) : "");
	};
	/** Go to a page: the address says which, to be reloaded, shared, and left by going back. */
	const turn = (all) => {
		const address = new URL(location);
		address.searchParams.delete("cursor");
		for (const cursor of all) address.searchParams.append("cursor", cursor);
		location.assign(address);
	};
	const open = (id) =>
		attempt(async () => {
			const item = await surely(() => asStaff("GET", `${path}/${encodeURIComponent(id)}`));
			await prepare([item]);
			const story = await surely(() => asStaff("GET", url`/orders/${item.order_id}/story`));
			const entries = facts.map(([title, content]) => [el("dt", t(title)), el("dd", content(item))]);
			byId("facts").replaceChildren(...entries.flat());
			showStory(story, zone(item), item.cancel_reason);
			name(id);
			byId("opened").showModal();
		});
	const row = (item) => {
		const id = item[idName];
		const cells = columns.map(([title, content], place) => {
			const opener = (text) => el("button.link", { onclick: () => open(id) }, text);
			const [tag, inner] = place ? ["td", content(item)] : ["th", opener(content(item))];
			return el(tag, { "data-title": t(title), scope: !place && "row" }, inner);
		});
		return el("tr", { "data-row": id }, cells);
	};
	const name = (id) => {
		const address = new URL(location);
		if (id) address.searchParams.set(idName, id);
		else address.searchParams.delete(idName);
		history.replaceState(null, "", address);
	};

	const heads = columns.map(([title]) => el("th", { scope: "col" }, t(title)));
	document.querySelector("thead tr").append(...heads);
	byId("newer").onclick = () => turn(cursors.slice(0, -1));
	byId("opened").onclose = () => name(null);
	if (unknown) tellWrong(t("table.no-choice", { value: unknown }));
	else await load().catch(refused);
	if (opened) open(opened);
}

/** Fill in what the address says; return what cannot be chosen, if there is such a thing. */
function fill(fields, query) {
	let unknown;
	for (const field of fields) {
		if (!field.name) continue;
		const value = query.get(field.name)?.trim() ?? "";
		field.value = value;
		if (field.value !== value) unknown = value;
	}
	return unknown;
}

function refused(error) {
	tellWrong(problemText(error));
	for (const { pointer } of error.errors ?? []) {
		const field = byId("filters").elements[pointer.slice(1)];
		if (field) field.ariaInvalid = "true";
	}
}

/** Say in the table's place why there is none, and lead back to its first page. */
function tellWrong(text) {
	const first = el("a", { href: location.pathname }, t("table.first"));
	byId("none").replaceChildren(el("span.error", text), el("br"), first);
	byId("none").hidden = false;
}

export const fillSelect = (id, options) =>
	byId(id).append(
		...[["", t("filter.all")], ...options].map(([value, text]) => el("option", { value }, text)),
	);
