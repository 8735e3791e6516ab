// Who this browser is: a guest on the customer's pages, whoever signed in on the others.
// Tokens travel in a header only, so another site's page cannot use them.

import { Problem, call } from "./http.js";
import { keep, kept } from "./storage.js";

const SHORTEST_MS = 60_000;

let beginning = null;

/** Return the guest of this browser, `{subject, token}`; a new one where there is none. */
export async function guest() {
  const known = kept("guest");
  if (known && Date.now() < known.renewAt) return known;
  beginning ??= (known ? renewed(known) : newGuest()).finally(() => (beginning = null));
  return beginning;
}

/** Call the API as the guest. A guest who is known no more becomes a new one, and is told. */
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

/** Call the API as whoever signed in; without a token, as the owner of a machine without sign-in. */
export async function asStaff(method, path, options = {}) {
  try {
    return await call(method, path, { ...options, token: kept("token") });
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) throw error;
    if (error.status === 401) keep("token", null); // it says nothing any more
    return signIn();
  }
}

/** Return who signed in, and whether anybody must. */
export const session = () => asStaff("GET", "/session");

/** Leave for the page to sign in, which leads back here; nothing of this page goes on. */
export function signIn() {
  const next = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(next)}`);
  return new Promise(() => {});
}

async function renewed(known) {
  try {
    return keepGuest(await call("POST", "/session", { token: known.token }));
  } catch (error) {
    if (!(error instanceof Problem)) return known; // not now; it is still good for as long again
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
