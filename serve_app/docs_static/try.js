/** Sends what the forms of the documentation say, and shows the answer as it came. */

const token = document.querySelector("#token");

function requestOf(form) {
	const headers = {};
	const query = new URLSearchParams();
	let path = form.dataset.path;
	for (const field of form.querySelectorAll("input")) {
		if (field.value === "") {
			continue;
		}
		if (field.dataset.in === "path") {
			path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
		} else if (field.dataset.in === "query") {
			query.set(field.name, field.value);
		} else {
			headers[field.name] = field.value;
		}
	}
	if (token.value !== "") {
		headers.Authorization = `Bearer ${token.value}`;
	}
	const body = form.elements.namedItem("body")?.value;
	if (body) {
		headers["Content-Type"] = "application/json";
	}
	const address = query.size ? `${path}?${query}` : path;
	return [address, { method: form.dataset.method, headers, body: body || undefined }];
}

function readable(text) {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
}

async function answerTo(form) {
	const [address, request] = requestOf(form);
	const stop = new AbortController();
	const response = await fetch(address, { ...request, signal: stop.signal });
	const told = `${response.status} ${response.statusText}\n`;
	if (response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
		const { value } = await response.body.getReader().read();
		stop.abort(); // the first of them is enough to see what they are like
		return told + new TextDecoder().decode(value);
	}
	return told + readable(await response.text());
}

document.addEventListener("submit", async (event) => {
	event.preventDefault();
	const output = event.target.querySelector("output");
	output.textContent = "…";
	try {
		output.textContent = await answerTo(event.target);
	} catch (error) {
		output.textContent = `No answer: ${error.message}`;
	}
});
