// Calls of the API: who asks, what is an answer, what is none, and asking again. Tokens travel in a
// header only, so another site's page cannot use them.

import { keep, kept } from "./storage.js";

const READ_TIMEOUT_MS = 10_000;
const NOT_NOW = [408, 429];
const LONGEST_PAUSE_MS = 8_000;
const LONGEST_BLIND_MS = 3_000;

let ahead = null; // the server's clock, before this device's

/** Return the time by the server's clock, in ms since 1970; by this device's until one answered. */
export const now = () => Date.now() + (ahead ?? 0);

export const knowsTime = () => ahead !== null;

/** Wait until the server's time is known. */
export const knowTime = () => ahead ?? call("GET", "/session");

function hear(response) {
	const time = Date.parse(response.headers.get("Date"));
	if (time) ahead = time - Date.now();
}

/** The server's no. `code` is for programs; repeating the request would not change it. */
export class Problem extends Error {
	constructor(status, { code = "", detail = String(status), ...more }) {
		super(detail);
		Object.assign(this, more, { status, code });
	}
}

/** No answer, or none that says what was done: repeat the request, with the same key. */
class Unreachable extends Error {
	constructor(retryAfterMs = 0, status = 0) {
		super("no answer");
		Object.assign(this, { retryAfterMs, status });
	}
}

/** Return the id in this page's own address; as it stands, where it is not encoded as it should. */
export function ownId() {
	const part = location.pathname.split("/")[2];
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

/** Return a path; whatever is filled in stays one part of it. */
export const url = (parts, ...values) =>
	String.raw({ raw: parts }, ...values.map(encodeURIComponent));

export async function call(method, path, { token, body, key, wait = 0, signal } = {}) {
	const headers = { Accept: "application/json" };
	if (token) headers.Authorization = `Bearer ${token}`;
	if (key) headers["Idempotency-Key"] = key;
	if (wait) headers.Prefer = `wait=${wait}`;
	if (body) headers["Content-Type"] = "application/json";
	const signals = [AbortSignal.timeout(READ_TIMEOUT_MS + wait * 1000), signal].filter(Boolean);
	const options = { method, headers, body: JSON.stringify(body), signal: AbortSignal.any(signals) };
	try {
		const response = await fetch(path, options);
		hear(response);
		await check(response);
		const answer = await response.json();
		// Beside what the answer says: whether it had been done before.
		const replayed = response.headers.has("Idempotency-Replayed");
		return Object.defineProperty(answer, "replayed", { value: replayed });
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
	if (!isOurs || status >= 500 || NOT_NOW.includes(status)) {
		throw new Unreachable(1000 * (Number(headers.get("Retry-After")) || 0), status);
	}
	throw new Problem(status, await response.json());
}

/**
 * Repeat `request` until it is answered; `onTrouble` hears when it was not.
 *
 * Throws the reason of `signal` once that is aborted.
 */
export async function insist(request, onTrouble, signal) {
	for (let failures = 1; ; failures += 1) {
		signal?.throwIfAborted();
		try {
			return await request();
		} catch (error) {
			if (!(error instanceof Unreachable)) throw error;
			signal?.throwIfAborted();
			onTrouble(error);
			await pause(Math.max(error.retryAfterMs, backoff(failures)), signal);
		}
	}
}

/** Return how long to wait after so many failures, differently for everybody. */
export const backoff = (failures) =>
	Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures) * (0.5 + Math.random() / 2);

/** Wait, but no longer than until the browser is online again, or `signal` is aborted. */
export function pause(milliseconds, signal) {
	return new Promise((resolve) => {
		const timer = setTimeout(end, milliseconds);
		addEventListener("online", end);
		signal?.addEventListener("abort", end);
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
			lost(error);
			rest = Math.max(error.retryAfterMs ?? 0, Math.min(backoff(failures), LONGEST_BLIND_MS));
		}
		await pause(rest);
	}
}

const SHORTEST_MS = 60_000;

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

/**
 * Call the API as whoever signed in; without a token, as a machine's owner.
 *
 * Who may not see a page is led to sign in as somebody else, and told there; throws `Problem` where
 * only a button is not for them.
 */
export async function asStaff(method, path, options = {}) {
	try {
		return await call(method, path, { ...options, token: kept("token") });
	} catch (error) {
		if (error.status !== 401 && error.status !== 403) throw error;
		if (error.status === 403 && method !== "GET") throw error;
		if (error.status === 401) keep("token", null); // it says nothing any more
		else keep("refused", location.pathname);
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

/** Return a key that nobody can guess; `randomUUID` is missing where a page is not secure. */
export const newKey = () => crypto.getRandomValues(new BigUint64Array(2)).join("-");
