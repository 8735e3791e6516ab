// What a browser keeps for a page, as JSON by name. Where it keeps nothing (private windows, a
// full disk), it lasts as long as the page.

const memory = new Map();

/** Return what was kept under a name; null where there is nothing to read. */
export function kept(name) {
	try {
		return JSON.parse(localStorage.getItem(`siren.${name}`)) ?? memory.get(name) ?? null;
	} catch {
		return memory.get(name) ?? null;
	}
}
export function keep(name, value) {
	memory.set(name, value);
	try {
		if (value === null) localStorage.removeItem(`siren.${name}`);
		else localStorage.setItem(`siren.${name}`, JSON.stringify(value));
	} catch {
		// It stays in memory.
	}
}
