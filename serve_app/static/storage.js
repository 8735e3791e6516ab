// What a browser keeps for a page, as JSON by name: for all tabs; where it keeps nothing for them,
// for this one; and where it keeps nothing at all (cookies are blocked), as long as the page lasts.

const memory = new Map();
const shelves = [() => sessionStorage, () => localStorage]; // even to name one may be forbidden

/** Return what was kept under a name; null where there is nothing to read. */
export function kept(name) {
	return onShelf(name) ?? memory.get(name) ?? null;
}

export function keep(name, value) {
	memory.delete(name);
	const [forTab, forAll] = shelves;
	// Over what was there: other tabs must not read nothing in between.
	if (put(forAll, name, value)) return put(forTab, name, null);
	put(forAll, name, null);
	if (!put(forTab, name, value) && value !== null) memory.set(name, value);
}

/** Whether the next page can read what is kept under a name. */
export const lasts = (name) => onShelf(name) !== null;

/** Call `action` when another tab has kept something else. */
export const onOtherTab = (action) => addEventListener("storage", action);

function onShelf(name) {
	for (const shelf of shelves) {
		try {
			const value = JSON.parse(shelf().getItem(`siren.${name}`));
			if (value !== null) return value;
		} catch {
			// It is not there to be read.
		}
	}
	return null;
}

/** Put something on a shelf, or with null take it away; return whether that went well. */
function put(shelf, name, value) {
	try {
		if (value === null) shelf().removeItem(`siren.${name}`);
		else shelf().setItem(`siren.${name}`, JSON.stringify(value));
		return true;
	} catch {
		return false;
	}
}
