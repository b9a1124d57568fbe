"use strict";

const base = "/_emulator/";
const $ = (id) => document.getElementById(id);

async function call(method, name, body) {
	const options = { method };
	if (method !== "GET") {
		options.headers = { "Content-Type": "application/json" };
		options.body = JSON.stringify(body ?? {});
	}
	const response = await fetch(base + name, options);
	const answer = await response.json();
	if (!response.ok) {
		throw new Error(answer.error);
	}
	return answer;
}

function element(tag, text, className) {
	const e = document.createElement(tag);
	e.textContent = text;
	if (className) {
		e.className = className;
	}
	return e;
}

function cell(text, small, className) {
	const td = element("td", text, className);
	if (small) {
		td.append(element("small", small));
	}
	return td;
}

// act makes a call and says what came of it.
async function act(what, method, name, body) {
	try {
		await call(method, name, body);
		if (name === "reset" || name === "settings") {
			await showSettings();
		}
		$("done").textContent = what;
		$("done").className = "";
	} catch (e) {
		$("done").textContent = e.message;
		$("done").className = "bad";
	}
	await update();
}

function left(until) {
	const seconds = Math.round((new Date(until) - Date.now()) / 1000);
	if (seconds <= 0) {
		return "expired";
	}
	for (const [size, word] of [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]) {
		if (seconds >= size) {
			const n = Math.floor(seconds / size);
			return `${n} ${word}${n === 1 ? "" : "s"} left`;
		}
	}
}

function token(expires, why) {
	return why ? cell("dead", why, "bad") : cell(left(expires), new Date(expires).toLocaleString(), "good");
}

function button(label, what, name, user) {
	const b = element("button", label);
	b.type = "button";
	b.setAttribute("aria-label", `${label}: ${user}`);
	b.dataset.key = `${name} ${user}`;
	b.addEventListener("click", () => act(what, "POST", name, { user }));
	return b;
}

function showGrants(grants) {
	if ($("grants").querySelector(":active")) {
		return; // a button that is replaced while it is held down is never pressed
	}
	const focused = document.activeElement?.dataset?.key;
	$("grants").replaceChildren(...grants.map((g) => {
		const tr = document.createElement("tr");
		const buttons = document.createElement("td");
		buttons.append(
			button("Expire", `The access tokens of ${g.user} have expired.`, "expire-access", g.user),
			button("Revoke", `${g.user} has disconnected the app.`, "revoke", g.user),
		);
		tr.append(cell(g.user), token(g.access_expires, g.access_why), token(g.refresh_expires, g.refresh_why), cell(g.scopes.length > 6 ? `${g.scopes.length} scopes` : g.scopes.join(" ")), buttons);
		return tr;
	}));
	if (grants.length === 0) {
		const tr = document.createElement("tr");
		const td = cell("Nobody has logged in yet.");
		td.colSpan = 5;
		tr.append(td);
		$("grants").append(tr);
	}
	if (focused) {
		document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
	}
}

let last = { number: 0 }; // the latest request that is shown
const most = 500;

// unseenRequests are those after the last one. If that is no longer there, the fake was reset or is another one.
async function unseenRequests() {
	if ($("pause").checked) {
		return [];
	}
	if (last.number > 0) {
		const [known, ...rest] = await call("GET", `requests?after=${last.number - 1}`);
		if (known?.time === last.time) {
			return rest;
		}
		$("requests").replaceChildren();
		last = { number: 0 };
	}
	return call("GET", "requests");
}

function showRequests(requests) {
	for (const r of requests) {
		const tr = document.createElement("tr");
		const params = Object.entries(r.params).map(([name, value]) => `${name}=${value}`).join("  ");
		const status = r.status === 0 ? "no answer" : String(r.status) + (r.code ? ` (code ${r.code})` : "");
		tr.append(cell(new Date(r.time).toLocaleTimeString()), cell(`${r.method} ${r.path}`, params), cell(r.user), cell(status, r.why, r.status === 0 || r.status >= 400 ? "bad" : ""));
		$("requests").prepend(tr);
		last = r;
	}
	while ($("requests").children.length > most) {
		$("requests").lastChild.remove();
	}
}

function showCounts(counts) {
	$("counts").replaceChildren(...Object.entries(counts).map(([name, n]) => {
		const div = document.createElement("div");
		div.append(element("dt", name.replaceAll("_", " ")), element("dd", String(n)));
		return div;
	}));
}

function showFaults(faults) {
	const times = new Map();
	for (const f of faults) {
		const set = Object.entries(f.fault).filter(([, v]) => v && v !== "0s").map(([name, v]) => `${name}: ${JSON.stringify(v)}`);
		const what = `${f.path || "any path"} (${set.join(", ")})`;
		times.set(what, (times.get(what) ?? 0) + 1);
	}
	$("faults").textContent = [...times].map(([what, n]) => n === 1 ? what : `${what}, ${n} times`).join("; ") || "none";
}

let settings = {}; // as they are shown

// The settings are shown anew only when a person changes them, so that nobody's typing is overwritten.
async function showSettings() {
	settings = await call("GET", "settings");
	$("fields").replaceChildren(...Object.entries(settings).map(([name, value]) => {
		const label = document.createElement("label");
		const list = value === null || Array.isArray(value);
		const input = document.createElement(list ? "textarea" : "input");
		input.name = name;
		if (typeof value === "boolean") {
			input.type = "checkbox";
			input.checked = value;
			label.append(input, " " + name.replaceAll("_", " "));
			return label;
		}
		input.value = list ? (value ?? []).join("\n") : value;
		label.append(name.replaceAll("_", " ") + (list ? " (one a line)" : ""), input);
		return label;
	}));
	$("users").replaceChildren(...(settings.users ?? ["pinner1", "pinner2", "pinner3"]).map((u) => {
		const option = document.createElement("option");
		option.value = u;
		return option;
	}));
}

let updating = Promise.resolve();

// update shows how things are; one at a time, or a request would be shown twice.
function update() {
	updating = updating.then(show);
	return updating;
}

async function show() {
	try {
		const [grants, requests, counts, faults] = await Promise.all([call("GET", "grants"), unseenRequests(), call("GET", "counts"), call("GET", "faults")]);
		showGrants(grants);
		showRequests(requests);
		showCounts(counts);
		showFaults(faults);
		if ($("state").className !== "good") {
			$("state").textContent = `Serving at ${location.origin}`;
			$("state").className = "good";
		}
	} catch {
		$("state").textContent = "The fake does not answer. Was it stopped?";
		$("state").className = "bad";
	}
}

for (const b of document.querySelectorAll("button[data-call]")) {
	b.addEventListener("click", () => act(`${b.textContent}: done.`, "POST", b.dataset.call));
}

$("login").addEventListener("submit", (event) => {
	event.preventDefault();
	const user = event.target.elements.user.value.trim();
	act(`${user || "The user"} has logged in.`, "POST", "login", { user });
});

$("fault").addEventListener("change", () => { $("other").hidden = $("fault").elements.fault.value !== ""; });
$("fault").addEventListener("submit", (event) => {
	event.preventDefault();
	const { path, times, fault, json } = event.target.elements;
	try {
		act("The next requests will fail.", "POST", "faults", { path: path.value, times: Number(times.value), fault: JSON.parse(fault.value || json.value) });
	} catch (e) {
		$("done").textContent = e.message;
		$("done").className = "bad";
	}
});

$("settings").addEventListener("submit", async (event) => {
	event.preventDefault();
	const changed = {};
	for (const input of $("fields").querySelectorAll("input, textarea")) {
		let value = input.type === "checkbox" ? input.checked : input.value;
		if (input.tagName === "TEXTAREA") {
			const lines = value.split("\n").map((s) => s.trim()).filter(Boolean);
			value = lines.length ? lines : null;
		}
		if (JSON.stringify(value) !== JSON.stringify(settings[input.name])) {
			changed[input.name] = value; // the others a script may have changed since
		}
	}
	await act("The settings have changed.", "PATCH", "settings", changed);
});

async function run() {
	await update();
	setTimeout(run, 500);
}

showSettings().catch(() => {});
run();
