import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { App } from "./app.js";
import { startEmulator } from "./emulator.js";

let pinterest;
let app;

beforeAll(async () => { pinterest = await startEmulator(); });
afterAll(() => pinterest.stop());

beforeEach(async () => {
	await pinterest.tell("reset");
	app = new App(pinterest);
	const { code } = await pinterest.tell("code", { user: "ann", redirect_url: "http://localhost/callback" });
	await app.logIn(code);
});

test("ten requests that meet an expired token renew it once", async () => {
	await pinterest.tell("expire-access");
	const answers = await Promise.all(Array.from({ length: 10 }, () => app.get("/v5/user_account")));
	expect(answers.map((a) => a.username)).toEqual(Array(10).fill("ann"));
	expect(await pinterest.ask("counts")).toMatchObject({ refresh: 1, replays: 0 });
});

test("a rate limit does not cost the login", async () => {
	await pinterest.tell("faults", { path: "/v5/oauth/token", fault: { status: 429, retry_after: "7" } });
	await expect(app.refresh()).rejects.toThrow("rate limit");
	await app.refresh();
	expect((await app.get("/v5/boards")).items).toHaveLength(25);
});

test("a user who disconnects has to log in again", async () => {
	await pinterest.tell("revoke", { user: "ann" });
	await expect(app.get("/v5/boards")).rejects.toThrow("log in again");
});
