// A control that has just come under a finger is deaf: who taps there meant what stood there before.

const DEAF_MS = 500;
const NEAR_PX = 24;
const CONTROLS = "button, a, label:has(input)";

let tap = null; // the last one that was heard
let places = []; // where controls stood, and until when

/** Remember where the controls of a part of the page stand; to be called before they move. */
export function remember(part) {
	const until = performance.now();
	const boxes = [...part.querySelectorAll(CONTROLS)].map((node) => [
		node,
		node.getBoundingClientRect(),
	]);
	places = places.filter((place) => until - place.until < DEAF_MS);
	places.push({ part, until, boxes, scrollY });
}

/** Keep the second tap of two from a control that the first one brought there, and such. */
export function holdSteady() {
	addEventListener("click", hear, true);
}

function hear(event) {
	const control = event.target.closest?.(CONTROLS);
	if (!control || event.detail === 0) return; // a key has no place
	const { clientX: x, clientY: y } = event;
	const at = performance.now();
	if (wasElsewhere(control, x, y, at) || isSecond(control, x, y, at)) {
		event.preventDefault();
		event.stopImmediatePropagation();
	} else tap = { control, x, y, at };
}

const isSecond = (control, x, y, at) =>
	tap !== null &&
	tap.control !== control &&
	at - tap.at < DEAF_MS &&
	Math.hypot(x - tap.x, y - tap.y) < NEAR_PX;

/** Whether something else stood there a moment ago, wherever the page was scrolled meanwhile. */
function wasElsewhere(control, x, y, at) {
	return places.some(({ part, until, boxes, scrollY: was }) => {
		if (at - until > DEAF_MS || !part.contains(control)) return false;
		const there = boxes.filter(
			([, box]) => covers(box, x, y) && covers(box, x, y + scrollY - was),
		);
		return there.length > 0 && there.every(([node]) => node !== control);
	});
}

const covers = ({ left, right, top, bottom }, x, y) =>
	left <= x && x < right && top <= y && y < bottom;
