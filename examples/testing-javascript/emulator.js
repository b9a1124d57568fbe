// Starts the emulator, and has its remote control.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export async function startEmulator() {
	// --addr :0 takes a free port; the one line of JSON comes once it is there.
	const child = spawn("pinterest", ["emulator", "--addr", ":0", "--json", "--strict-rotation"], { stdio: ["ignore", "pipe", "inherit"] });
	const line = await new Promise((resolve, reject) => {
		createInterface({ input: child.stdout }).once("line", resolve);
		child.once("error", reject);
		child.once("exit", (status) => reject(new Error(`the emulator ended with status ${status}`)));
	});
	const at = JSON.parse(line);
	const url = at.PINTEREST_API_URI;
	return {
		url,
		appID: at.PINTEREST_APP_ID,
		appSecret: at.PINTEREST_APP_SECRET,
		async tell(call, body = {}) {
			const answer = await fetch(`${url}/_emulator/${call}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
			const result = await answer.json();
			if (!answer.ok) {
				throw new Error(result.error);
			}
			return result;
		},
		async ask(call) {
			return (await fetch(`${url}/_emulator/${call}`)).json();
		},
		stop() {
			child.kill();
		},
	};
}
