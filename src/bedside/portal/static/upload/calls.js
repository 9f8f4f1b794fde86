// Asking the portal, and sending bytes with their progress. An answer that refuses is a `Refused`.

import { csrf } from "../portal.js";

/** An answer other than well done: its status, and what it says, in the language of the page where it has that. */
export class Refused extends Error {
  constructor(status, problem = {}) {
    const said = problem.said ? [problem.said, problem.todo] : [problem.detail, problem.hint];
    super(said.filter(Boolean).join(" ") || `${status}`);
    this.status = status;
    this.missing = problem.missing;
  }
}

/** The line, not the answer, failed. */
export class Cut extends Error {}

/** Ends an upload; its `key` is the text that says why. */
export class Ended extends Error {
  constructor(key, reason = "") {
    super(reason || key);
    this.key = key;
  }
}

/** Ask the API; returns its JSON. */
export async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { "X-CSRF-Token": csrf(), "Content-Type": "application/json", Accept: "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    throw new Cut(error.message);
  }
  const text = await answer.text().catch(() => { throw new Cut("answer broke off"); });
  let said = {};
  try {
    said = JSON.parse(text || "{}");
  } catch {
    // a proxy's page; its status says enough
  }
  if (!answer.ok) throw new Refused(answer.status, said);
  return said;
}

/** PUT bytes to a target; `progress` hears how many left. Returns {sent: Promise, abort}. */
export function put(target, bytes, progress) {
  const request = new XMLHttpRequest();
  const sent = new Promise((well, badly) => {
    request.upload.addEventListener("progress", (event) => progress(Math.min(event.loaded, bytes.length)));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) return well();
      let said = {};
      try {
        said = JSON.parse(request.responseText || "{}");
      } catch {
        // a bucket answers in XML; its status says enough
      }
      return badly(new Refused(request.status, said));
    });
    for (const event of ["error", "abort", "timeout"]) request.addEventListener(event, () => badly(new Cut(event)));
  });
  request.open(target.method, target.url);
  for (const [name, value] of Object.entries(target.headers)) request.setRequestHeader(name, value);
  // A signed address takes no other headers, and our token is nobody else's.
  if (new URL(target.url, location.href).origin === location.origin) request.setRequestHeader("X-CSRF-Token", csrf());
  request.send(bytes);
  return { sent, abort: () => request.abort() };
}
