// A request that must be carried out once: it is kept, with its key, until it is answered. Taps
// while it is on its way add nothing, and a page that was reloaded goes on with the same key.

import { Problem, insist } from "./http.js";
import { asGuest } from "./identity.js";
import { keep, kept } from "./storage.js";

const WAIT_S = 10;
const underWay = new Map();

/** Return the request that waits for its answer under this name; null where there is none. */
export const pending = (name) => kept(`attempt.${name}`);

/**
 * Send a request until it is answered, and return the answer; a pending one instead of `request`.
 *
 * `onTrouble` hears of each time there was no answer. Throws `Problem` where the answer is no.
 */
export function carryOut(name, request, onTrouble) {
  if (!underWay.has(name)) {
    underWay.set(
      name,
      answered(name, request, onTrouble).finally(() => underWay.delete(name)),
    );
  }
  return underWay.get(name);
}

/** Return a key that nobody can guess; `randomUUID` is missing where a page is not secure. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function answered(name, request, onTrouble) {
  const attempt = pending(name) ?? { ...request, key: newKey() };
  keep(`attempt.${name}`, attempt);
  const { path, body, key } = attempt;
  const send = () => asGuest("POST", path, { body, key, wait: WAIT_S });
  try {
    const answer = await insist(send, onTrouble);
    keep(`attempt.${name}`, null);
    return answer;
  } catch (error) {
    if (error instanceof Problem) keep(`attempt.${name}`, null);
    throw error;
  }
}
