// Following an order: Server-Sent Events, read by `fetch`, because an EventSource cannot say who
// asks. It goes on after every interruption from the version that was seen last.

import { Problem, backoff, pause, refuseNoAnswer } from "./http.js";
import { endVisit, guest } from "./identity.js";

const SILENCE_MS = 40_000; // the server says something every 15 seconds
const FINAL = ["PICKED_UP", "CANCELED"];

/**
 * Call `onOrder` with the order now and at every change, until it is finished.
 *
 * `onState` hears "live", "reconnecting" and "done". Throws `Problem` where there is no such order.
 */
export async function follow(orderId, onOrder, onState) {
  let version = 0;
  const see = (order) => {
    version = order.version;
    onOrder(order);
    return FINAL.includes(order.order_status);
  };
  for (let failures = 0; ;) {
    try {
      const live = () => {
        failures = 0;
        onState("live");
      };
      if (await connect(orderId, version, see, live)) break;
    } catch (error) {
      if (error instanceof Problem) throw error;
    }
    failures += 1;
    onState("reconnecting");
    await pause(backoff(failures));
  }
  onState("done");
}

/** Read one connection to its end; return whether there is nothing more to come. */
async function connect(orderId, version, see, live) {
  const watch = new Watch();
  try {
    const { token } = await guest();
    const headers = { Accept: "text/event-stream", Authorization: `Bearer ${token}` };
    if (version) headers["Last-Event-ID"] = String(version);
    const options = { headers, signal: watch.signal, cache: "no-store" };
    const response = await fetch(`/orders/${encodeURIComponent(orderId)}/stream`, options);
    refuseNoAnswer(response);
    if (response.status === 401) endVisit(token);
    if (!response.ok) throw new Problem(response.status, await response.json());
    if (response.status === 204) return true;
    live();
    for await (const data of events(response.body, watch)) {
      if (see(JSON.parse(data))) return true;
    }
    return false;
  } finally {
    watch.end();
  }
}

/** Yield the data of each event. */
async function* events(stream, watch) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    watch.heard();
    const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data:"));
      if (lines.length) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
    }
  }
}

/** Ends a connection that is dead but does not say so: it is silent, or the browser is offline. */
class Watch {
  #controller = new AbortController();
  #timer = null;
  #heardAt = Date.now();

  constructor() {
    addEventListener("offline", this.#abort);
    document.addEventListener("visibilitychange", this.#lookUp);
    this.heard();
  }

  get signal() {
    return this.#controller.signal;
  }

  heard() {
    this.#heardAt = Date.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#abort, SILENCE_MS);
  }

  end() {
    clearTimeout(this.#timer);
    removeEventListener("offline", this.#abort);
    document.removeEventListener("visibilitychange", this.#lookUp);
    this.#abort();
  }

  #abort = () => this.#controller.abort();

  // A phone that slept had its timers stopped.
  #lookUp = () => {
    if (!document.hidden && Date.now() - this.#heardAt > SILENCE_MS / 2) this.#abort();
  };
}
