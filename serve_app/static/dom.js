// Building elements. Whatever people typed goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

/**
 * Return a new element, as in `el("li.ticket", { id: "first" }, "text", ...children)`.
 *
 * Attributes that are null or false are left out, `on…` are listeners. A button submits nothing.
 */
export function el(selector, ...children) {
	const [tag, ...classes] = selector.split(".");
	const node = document.createElement(tag);
	if (classes.length) node.className = classes.join(" ");
	if (tag === "button") node.type = "button";
	const attributes = children[0]?.constructor === Object ? children.shift() : {};
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on")) node[name] = value;
		else if ((value ?? false) !== false) node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.flat());
	return node;
}

/** Return what a person or a store is called, kept from turning the text around it (RTL). */
export const named = (text) => el("bdi", text);

/** The same for texts that are no markup, such as labels: Unicode's isolates. */
export const isolated = (text) => `\u2068${text}\u2069`;

/** Replace what is in an element (or its id), but leave it alone where it would say the same. */
export function say(where, text) {
	const node = typeof where === "string" ? byId(where) : where;
	if (node.textContent !== text) node.textContent = text;
}

/** Make these a list's children, in this order, and keep elements that stay. */
export function arrange(list, nodes) {
	for (const child of [...list.children]) if (!nodes.includes(child)) child.remove();
	nodes.forEach((node, place) => {
		if (list.children[place] !== node) list.insertBefore(node, list.children[place]);
	});
}

/** Let a button do nothing for now; it keeps the focus, which a disabled one would lose. */
export function disable(button, isDisabled) {
	button.ariaDisabled = isDisabled ? "true" : null;
}

/** Call `action` for a press on a button that is not disabled. Enter in a field is none. */
export function onPress(where, action) {
	const button = typeof where === "string" ? byId(where) : where;
	button.onclick = () => button.ariaDisabled !== "true" && action();
}

/** Do a change; where it takes away what has the focus, that goes to `refuge()`. */
export function keepFocus(change, refuge) {
	const held = document.activeElement;
	change();
	const isGone = held && !(held.isConnected && held.checkVisibility());
	if (isGone) refuge().focus({ preventScroll: true });
}

export function onSubmit(id, action) {
	byId(id).onsubmit = (event) => {
		event.preventDefault();
		action();
	};
}
