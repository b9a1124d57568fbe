// The app under test. Yours is elsewhere, and takes the URL, the id and the secret from outside.
export class App {
	constructor({ url, appID, appSecret }) {
		this.url = url;
		this.basic = "Basic " + Buffer.from(`${appID}:${appSecret}`).toString("base64");
	}

	async logIn(code) {
		this.token = await this.askForToken({ grant_type: "authorization_code", code, redirect_uri: "http://localhost/callback" });
	}

	// refresh sends one request, however many wait for it: a refresh token is good for one.
	refresh() {
		this.refreshing ??= this.askForToken({ grant_type: "refresh_token", refresh_token: this.token.refresh_token })
			.then((token) => { this.token = { ...this.token, ...token }; })
			.finally(() => { this.refreshing = undefined; });
		return this.refreshing;
	}

	async askForToken(form) {
		const answer = await fetch(`${this.url}/v5/oauth/token`, { method: "POST", headers: { Authorization: this.basic }, body: new URLSearchParams(form) });
		const token = await answer.json();
		if (!answer.ok) {
			throw new Error(token.code === 283 ? "log in again" : token.message);
		}
		return token;
	}

	async get(path) {
		const ask = (token) => fetch(this.url + path, { headers: { Authorization: `Bearer ${token}` } });
		const token = this.token.access_token;
		let answer = await ask(token);
		if (answer.status === 401) {
			if (token === this.token.access_token) { // nobody has renewed it meanwhile
				await this.refresh();
			}
			answer = await ask(this.token.access_token);
		}
		return answer.json();
	}
}
