// Following an order: Server-Sent Events, read by `fetch`, because an EventSource cannot say who
// asks. It goes on after every interruption from the version that was seen last.

import { Problem, backoff, call, check, endVisit, guest, pause, url } from "./api.js";

const SILENCE_MS = 40_000; // the server says something every 15 seconds
const LOOK_MS = 1_000;
const FINAL = ["PICKED_UP", "CANCELED"];

/**
 * Call `onOrder` with the order now and at every change, until it is finished.
 *
 * `onState` hears "live", "reconnecting" and "done". Throws `Problem` where there is no such order.
 */
export async function follow(orderId, onOrder, onState) {
	let version = 0;
	let failures = 0;
	const live = () => {
		failures = 0;
		onState("live");
	};
	const see = (order) => {
		version = order.version;
		onOrder(order);
		return FINAL.includes(order.order_status);
	};
	for (;;) {
		try {
			if (await connect(orderId, version, see, live)) return onState("done");
		} catch (error) {
			if (error instanceof Problem) throw error;
		}
		failures += 1;
		onState("reconnecting");
		await pause(backoff(failures));
	}
}

/** Read one connection to its end; return whether there is nothing more to come. */
async function connect(orderId, version, see, live) {
	const dead = new AbortController();
	let heardAt = Date.now();
	// By the clock, and not by a timer for the whole silence: a phone that sleeps stops its timers.
	const watch = setInterval(async () => {
		const isCut = !navigator.onLine && !(await answers());
		if (isCut || Date.now() - heardAt > SILENCE_MS) dead.abort();
	}, LOOK_MS);
	try {
		const { token } = await guest();
		const headers = { Accept: "text/event-stream", Authorization: `Bearer ${token}` };
		if (version) headers["Last-Event-ID"] = version;
		const options = { headers, signal: dead.signal, cache: "no-store" };
		const response = await fetch(url`/orders/${orderId}/stream`, options);
		if (response.status === 401) endVisit(token);
		await check(response);
		if (response.status === 204) return true;
		live();
		for await (const order of events(response.body, () => (heardAt = Date.now()))) {
			if (see(order)) return true;
		}
		return false;
	} finally {
		clearInterval(watch);
		dead.abort();
	}
}

/** Whether the server answers, on a device that says it is offline: it may be this very device. */
const answers = () =>
	call("GET", "/healthz").then(
		() => true,
		() => false,
	);

async function* events(stream, onHeard) {
	const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		onHeard();
		const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
		text = blocks.pop();
		for (const block of blocks) {
			const data = /^data:(.*)$/m.exec(block); // the server's JSON is one line
			if (data) yield JSON.parse(data[1]);
		}
	}
}
