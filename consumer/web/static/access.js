// Asking the worker: with its token where it has one, and following what it tells.

const KEY = "propensity-token";

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

export function ask(path, more = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(path, { ...more, headers, cache: "no-store" });
}

// Server-sent events by hand: the browser's own reader cannot bring a token.
export async function follow(path, { told, refused, lost }) {
  for (let waits = 500; ; waits = Math.min(2 * waits, 5000)) {
    try {
      const answer = await ask(path);
      if (answer.status === 401 || answer.status === 403) {
        refused(answer.status, (await answer.json()).message);
        return;
      }
      if (answer.ok) {
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let held = "";
        for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
          held += value;
          const blocks = held.split("\n\n");
          held = blocks.pop();
          for (const block of blocks) {
            if (block.startsWith("data: ")) {
              told(JSON.parse(block.slice(6)));
              waits = 500;
            }
          }
        }
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // The worker is away: it is asked again.
    }
    lost();
    await new Promise((resolve) => setTimeout(resolve, waits));
  }
}
