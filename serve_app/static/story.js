// An order's life as its owner is told it: what, when, by whom, how long, and what it waits for.

import { byId, el } from "./dom.js";
import { clockWithSeconds, t, tellCode, whenExactly } from "./language.js";
import { eventEntry } from "./order-view.js";

const MINUTE_S = 60;

/** Show a story; `words` are those with which somebody cancelled the order, if they are kept. */
export function showStory(story, timeZone, words) {
	byId("history").replaceChildren(...story.happened.map((each) => happening(each, timeZone, words)));
	const waits = story.waits.map((wait) => waiting(wait, timeZone));
	if (story.untold) waits.push(el("li.error", t("story.untold")));
	byId("waits").replaceChildren(...waits);
}

function happening(event, timeZone, words) {
	const { by, took_s: took, tries } = event;
	const facts = [t(`by.${by}`)];
	if (took !== null) facts.push(t("story.took", { time: duration(took) }));
	if (tries > 1) facts.push(t("story.tries", { n: tries }));
	return eventEntry(event, timeZone, words, el("small.soft", facts.join(" · ")));
}

function waiting({ what, began_at: since, until, tries, cause, code, set_aside: aside, stuck }, timeZone) {
	const [step] = what.split(" ");
	const facts = [];
	if (until) facts.push(t("story.until", { time: clockWithSeconds(until, timeZone) }));
	if (tries) facts.push(t("story.tries", { n: tries }));
	if (stuck) facts.push(t(aside ? "story.set-aside" : "story.stuck"));
	return el(
		"li",
		{ "data-wait": step },
		el("time", { datetime: since }, whenExactly(since, timeZone)),
		el(
			stuck ? "span.error" : "span",
			t("story.waits", { what: tellCode(`wait.${step}`, step) }),
			facts.length ? el("small.soft", facts.join(" · ")) : "",
			cause ? el("small.soft", `${cause} (${code})`) : "",
		),
	);
}

/** Return a duration in the unit that people would use. */
function duration(seconds) {
	if (seconds < 1) return t("unit.milliseconds", { n: Math.round(seconds * 1000) });
	if (seconds < MINUTE_S) return t("unit.seconds", { n: seconds.toFixed(1) });
	return t("unit.minutes", { n: Math.round(seconds / MINUTE_S) });
}
