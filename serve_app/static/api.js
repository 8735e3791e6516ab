// Calls of the API: who asks, what is an answer, what is none, and asking again. Tokens travel in a
// header only, so another site's page cannot use them.

import { keep, kept } from "./storage.js";

const READ_TIMEOUT_MS = 10_000;
const LONGEST_PAUSE_MS = 8_000;
const LONGEST_BLIND_MS = 3_000;

/** The server's no. `code` is for programs; repeating the request would not change it. */
export class Problem extends Error {
	constructor(status, { code = "", detail = String(status) }) {
		super(detail);
		Object.assign(this, { status, code });
	}
}

/** No answer, or none that says what was done: repeat the request, with the same key. */
class Unreachable extends Error {
	constructor(retryAfterMs = 0) {
		super("no answer");
		this.retryAfterMs = retryAfterMs;
	}
}

/** Return a path; whatever is filled in stays one part of it. */
export const url = (parts, ...values) =>
	String.raw({ raw: parts }, ...values.map(encodeURIComponent));

export async function call(method, path, { token, body, key, wait = 0 } = {}) {
	const headers = { Accept: "application/json" };
	if (token) headers.Authorization = `Bearer ${token}`;
	if (key) headers["Idempotency-Key"] = key;
	if (wait) headers.Prefer = `wait=${wait}`;
	if (body) headers["Content-Type"] = "application/json";
	const signal = AbortSignal.timeout(READ_TIMEOUT_MS + wait * 1000);
	try {
		const response = await fetch(path, { method, headers, body: JSON.stringify(body), signal });
		await check(response);
		return await response.json();
	} catch (error) {
		throw isKnown(error) ? error : new Unreachable();
	}
}

const isKnown = (error) => error instanceof Problem || error instanceof Unreachable;

/** Throw `Problem` for a no, `Unreachable` where a response says nothing about the request. */
export async function check(response) {
	const { ok, status, headers } = response;
	if (ok) return;
	// Whatever stands before the gateway has a 404 of its own while the system starts.
	const isOurs = headers.get("Content-Type") === "application/problem+json";
	if (!isOurs || status >= 500 || status === 429) {
		throw new Unreachable(1000 * (Number(headers.get("Retry-After")) || 0));
	}
	throw new Problem(status, await response.json());
}

/** Repeat `request` until it is answered; `onTrouble` hears when it was not. */
export async function insist(request, onTrouble) {
	for (let failures = 1; ; failures += 1) {
		try {
			return await request();
		} catch (error) {
			if (!(error instanceof Unreachable)) throw error;
			onTrouble();
			await pause(Math.max(error.retryAfterMs, backoff(failures)));
		}
	}
}

/** Return how long to wait after so many failures, differently for everybody. */
export const backoff = (failures) =>
	Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures) * (0.5 + Math.random() / 2);

/** Wait, but no longer than until the browser is online again. */
export function pause(milliseconds) {
	return new Promise((resolve) => {
		const timer = setTimeout(end, milliseconds);
		addEventListener("online", end);
		function end() {
			clearTimeout(timer);
			removeEventListener("online", end);
			resolve();
		}
	});
}

/** Do `look` for ever, `every` milliseconds after it ended; tell how it went. */
export async function repeat(look, every, { fine, lost }) {
	for (let failures = 0; ; ) {
		let rest = every;
		try {
			await look();
			failures = 0;
			fine();
		} catch (error) {
			if (!isKnown(error)) throw error;
			failures += 1;
			lost();
			rest = Math.max(error.retryAfterMs ?? 0, Math.min(backoff(failures), LONGEST_BLIND_MS));
		}
		await pause(rest);
	}
}

const SHORTEST_MS = 60_000;
const ORDER_WAIT_S = 10;

let beginning = null;

/** Return the guest of this browser, `{subject, token}`. */
export async function guest() {
	const known = kept("guest");
	if (known && Date.now() < known.renewAt) return known;
	beginning ??= (known ? renewed(known) : newGuest()).finally(() => (beginning = null));
	return beginning;
}

/** Call the API as the guest; one who is known no more becomes a new one, and is told. */
export async function asGuest(method, path, options = {}) {
	const { token } = await guest();
	try {
		return await call(method, path, { ...options, token });
	} catch (error) {
		if (error.status !== 401) throw error;
		endVisit(token);
		if (method !== "GET") throw error; // it spoke for the guest of before
		return call(method, path, { ...options, token: (await guest()).token });
	}
}

/** Forget a guest who is known no more; the next call begins another visit. */
export function endVisit(token) {
	if (kept("guest")?.token !== token) return; // another tab did it already
	keep("guest", null);
	dispatchEvent(new Event("visitended"));
}

/** Call the API as whoever signed in; without a token, as a machine's owner. */
export async function asStaff(method, path, options = {}) {
	try {
		return await call(method, path, { ...options, token: kept("token") });
	} catch (error) {
		if (error.status !== 401 && error.status !== 403) throw error;
		if (error.status === 401) keep("token", null); // it says nothing any more
		return signIn();
	}
}

/** Leave for the page to sign in, which leads back; nothing here goes on. */
export function signIn() {
	location.assign(url`/sign-in?next=${location.pathname + location.search}`);
	return new Promise(() => {});
}

async function renewed(known) {
	try {
		return keepGuest(await call("POST", "/session", { token: known.token }));
	} catch (error) {
		if (error.status !== 401) return known; // not now; it is still good for as long again
		endVisit(known.token);
		return newGuest();
	}
}

async function newGuest() {
	const started = await call("POST", "/session");
	// Another tab may have begun at the same moment: the first one counts for both.
	return kept("guest") ?? keepGuest(started);
}

function keepGuest({ subject, token, expires_at }) {
	const life = new Date(expires_at) - Date.now();
	// A device whose clock is wrong must not renew with every call.
	const known = { subject, token, renewAt: Date.now() + Math.max(life / 2, SHORTEST_MS) };
	keep("guest", known);
	return known;
}

// What must be carried out once is kept, with its key, until it is answered: taps meanwhile add
// nothing, and a page that was reloaded goes on with it.

const underWay = new Map();

/** Return the request of this name that waits for its answer, or null. */
export const pending = (name) => kept(`attempt.${name}`);

/**
 * Send a request, or the pending one of this name, until it is answered; return the answer.
 *
 * `onTrouble` hears when there was none. Throws `Problem` where it is no.
 */
export function carryOut(name, request, onTrouble) {
	const answer =
		underWay.get(name) ??
		answered(name, request, onTrouble).finally(() => underWay.delete(name));
	underWay.set(name, answer);
	return answer;
}

/** Return a key that nobody can guess; `randomUUID` is missing where a page is not secure. */
export const newKey = () => crypto.getRandomValues(new BigUint64Array(2)).join("-");

async function answered(name, request, onTrouble) {
	const attempt = pending(name) ?? { ...request, key: newKey() };
	keep(`attempt.${name}`, attempt);
	const { path, body, key } = attempt;
	try {
		const answer = await insist(
			() => asGuest("POST", path, { body, key, wait: ORDER_WAIT_S }),
			onTrouble,
		);
		settle(name, key);
		return answer;
	} catch (error) {
		if (error instanceof Problem) settle(name, key);
		throw error;
	}
}

/** Forget an attempt, but not another tab's that has taken its place. */
function settle(name, key) {
	if (pending(name)?.key === key) keep(`attempt.${name}`, null);
}
