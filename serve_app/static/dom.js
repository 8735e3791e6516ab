// Building elements. Whatever people typed goes in as text, never as markup.

/** Return the element with this id, which the page's HTML has. */
export const byId = (id) => document.getElementById(id);

/** Return a new element. Attributes that are null or false are left out; `on…` are listeners. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== false));
  return node;
}

/** Return what a person or a store is called, kept from turning the text around it (RTL). */
export const named = (text) => el("bdi", {}, text);

/** The same for texts that are no markup, such as labels: Unicode's isolates. */
export const isolated = (text) => `\u2068${text}\u2069`;

/** Replace what is in `node`, but leave it alone where it would say the same. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Make a list's children those of `items`, in this order, and keep elements that stay. */
export function arrange(list, nodes) {
  for (const child of [...list.children]) if (!nodes.includes(child)) child.remove();
  nodes.forEach((node, place) => {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] ?? null);
  });
}
