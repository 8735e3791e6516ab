// Calls of the API: what is an answer, what is none, and asking again.

const READ_TIMEOUT_MS = 10_000;
const LONGEST_PAUSE_MS = 8_000;
const LONGEST_BLIND_MS = 3_000;

/** The server's no. `code` is for programs; repeating the request would not change it. */
export class Problem extends Error {
  constructor(status, { code, detail, errors } = {}) {
    super(detail ?? String(status));
    Object.assign(this, { status, code: code ?? "", errors: errors ?? [] });
  }
}

/** No answer, or none that says what was done: repeat the request, with the same key. */
export class Unreachable extends Error {
  constructor(retryAfterMs = 0) {
    super("no answer");
    this.retryAfterMs = retryAfterMs;
  }
}

/** Call the API and return the answer's JSON; null where it has none. */
export async function call(method, path, { token, body, key, wait, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers["Idempotency-Key"] = key;
  if (wait) headers.Prefer = `wait=${wait}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const patience = READ_TIMEOUT_MS + (wait ?? 0) * 1000;
  const [limit, done] = timeLimit(patience, signal);
  try {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const response = await fetch(path, { method, headers, body: content, signal: limit });
    return await read(response);
  } catch (error) {
    if (error instanceof Problem || error instanceof Unreachable || signal?.aborted) throw error;
    throw new Unreachable();
  } finally {
    done();
  }
}

async function read(response) {
  refuseNoAnswer(response);
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const value = isJson ? await response.json() : null;
  if (!response.ok) throw new Problem(response.status, value ?? {});
  return value;
}

/** Throw `Unreachable` where a response says nothing about the request itself. */
export function refuseNoAnswer(response) {
  const { status } = response;
  if (status >= 500 || status === 429 || status === 408) {
    throw new Unreachable(1000 * (Number(response.headers.get("Retry-After")) || 0));
  }
}

/** Repeat `request` until it is answered; `onTrouble` hears of each time it was not. */
export async function insist(request, onTrouble, signal) {
  for (let failures = 0; ; ) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof Unreachable) || signal?.aborted) throw error;
      failures += 1;
      onTrouble(error);
      await pause(Math.max(error.retryAfterMs, backoff(failures)), signal);
    }
  }
}

/** Return how long to wait after so many failures in a row, differently for everybody. */
export const backoff = (failures) =>
  Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures) * (0.5 + Math.random() / 2);

/** Wait, but no longer than until the browser is online again. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal?.addEventListener("abort", end);
    function end() {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal?.removeEventListener("abort", end);
      resolve();
    }
  });
}

/** Do `look` for ever, `every` milliseconds after it ended; tell how it went. */
export async function repeat(look, every, { onFine, onTrouble }) {
  for (let failures = 0; ; ) {
    let rest = every;
    try {
      await look();
      failures = 0;
      onFine();
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof Problem)) throw error;
      failures += 1;
      onTrouble();
      rest = Math.max(error.retryAfterMs ?? 0, Math.min(backoff(failures), LONGEST_BLIND_MS));
    }
    await pause(rest);
  }
}

function timeLimit(milliseconds, signal) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, milliseconds);
  signal?.addEventListener("abort", abort);
  const done = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  };
  return [controller.signal, done];
}
