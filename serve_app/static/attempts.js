// What must be carried out once. An attempt is kept, with its key, until it is answered: taps
// meanwhile add nothing, and a page that was reloaded goes on with it. Only a fresh one is sent:
// who comes back later may no longer want it, and is asked first.

import { Problem, asGuest, guest, insist, knowTime, knowsTime, newKey, now } from "./api.js";
import { keep, kept } from "./storage.js";

const FRESH_MS = 120_000;
const WAIT_S = 10;
const MOST_DROPPED = 20;
const IMPOSSIBLE_TOTAL = 1;

// A machine with no network but its own says that it is offline, always: then it means nothing.
const wasOnline = navigator.onLine;
const load = newKey();
const loadBefore = reloaded();
const sending = new Map();

/** It was dropped, or is not fresh any more; then it is still `pending`. */
export class Stopped extends Error {}

/** Return the attempt of this name that waits for its answer, or null. */
export const pending = (name) => kept(`attempt.${name}`);

/** Keep a request, `{path, body}`, as made now, for `carryOut`; one that was kept keeps its key. */
export const begin = (name, request) =>
	keep(`attempt.${name}`, {
		key: newKey(), sent: false, ...request, at: now(), load, since: performance.now(),
	});

/** Whether it may be sent without a question: this page, or the one it reloaded, just made it. */
export function isFresh({ at, load: by, since }) {
	if (by !== load && by !== loadBefore) return false;
	// This device's own clock may be hours off; it is asked again before anything is sent.
	if (!knowsTime()) return true;
	// By two clocks: one stands still while a device sleeps, the other may be set back.
	const here = by === load ? performance.now() - since : 0;
	return Math.max(Math.abs(now() - at), here) < FRESH_MS;
}

/**
 * Send the pending attempt of this name until it is answered; return the answer.
 *
 * `onTrouble` hears when there was none. Throws `Problem` where it is no, and `Stopped`.
 */
export function carryOut(name, onTrouble) {
	if (!sending.has(name)) {
		const stop = new AbortController();
		const answer = send(name, stop, onTrouble).finally(() => sending.delete(name));
		sending.set(name, { stop, answer });
	}
	return sending.get(name).answer;
}

/** Give an attempt up. Of one that may have arrived before, `findDropped` tells. */
export function drop(name) {
	const attempt = pending(name);
	keep("dropped", [...dropped(), attempt].slice(-MOST_DROPPED));
	forget(name, attempt.key);
	sending.get(name)?.stop.abort(new Stopped());
	return attempt;
}

/** Forget an attempt, but not another tab's that has taken its place. */
export function forget(name, key = pending(name)?.key) {
	if (pending(name)?.key === key) keep(`attempt.${name}`, null);
}

/** Call `onFound` with the order, or null, of each dropped one that may have arrived. */
export async function findDropped(onFound, onTrouble) {
	for (const { path, body, key, sent } of dropped()) {
		if (path !== "/orders" || sent === false) continue;
		const order = await insist(() => placed(path, body, key), onTrouble);
		keep("dropped", dropped().map((one) => (one.key === key ? { key, sent: false } : one)));
		onFound(order);
	}
}

const dropped = () => kept("dropped") ?? [];

async function send(name, stop, onTrouble) {
	const attempt = pending(name);
	const { path, body, key } = attempt;
	const timer = setTimeout(() => stop.abort(new Stopped()), FRESH_MS);
	const change = (part) => {
		Object.assign(attempt, part);
		if (pending(name)?.key === key) keep(`attempt.${name}`, attempt);
	};
	const request = async () => {
		await knowTime();
		if (body.customer) body.customer.id ??= (await guest()).subject;
		if (!isFresh(attempt) || dropped().some((one) => one.key === key)) throw new Stopped();
		const { sent } = attempt;
		const offline = wasOnline && !navigator.onLine;
		// Now this page's: one that is reloaded again goes on as well. And sent, before it is: if
		// this page goes first, the next one has to look whether it arrived.
		const since = performance.now() - Math.abs(now() - attempt.at);
		change({ body, load, since, sent: true });
		try {
			return await asGuest("POST", path, { body, key, wait: WAIT_S, signal: stop.signal });
		} catch (error) {
			// Offline before and after: it cannot have left.
			if (offline && !navigator.onLine) change({ sent });
			throw error;
		}
	};
	try {
		const answer = await insist(request, onTrouble, stop.signal);
		forget(name, key);
		return answer;
	} catch (error) {
		if (error instanceof Problem) forget(name, key);
		throw error;
	} finally {
		clearTimeout(timer);
	}
}

/** Return the order that an attempt has placed, or null. Places none itself. */
async function placed(path, body, key) {
	try {
		// Its key with other content: refused, in one way where it is known and in another where not.
		const other = { ...body, payment: undefined, expected_total: IMPOSSIBLE_TOTAL };
		return await asGuest("POST", path, { body: other, key });
	} catch (error) {
		if (!(error instanceof Problem)) throw error;
		if (error.code !== "idempotency_mismatch") return null;
	}
	return asGuest("POST", path, { body, key });
}

/** Return the page load that a reload of this tab followed, and let the next one know this one. */
function reloaded() {
	try {
		const before = sessionStorage.getItem("siren.load");
		sessionStorage.setItem("siren.load", load);
		return performance.getEntriesByType("navigation")[0].type === "reload" ? before : null;
	} catch {
		return null; // where nothing is kept, each load is a visit of its own
	}
}
