// The worker that reads and hashes, asked with promises.

import { Ended } from "./calls.js";

/** Asks it one thing after another; what it cannot do is an `Ended`. */
export class Reader {
  constructor() {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.open = new Map();
    this.asked = 0;
    this.worker.addEventListener("message", ({ data }) => {
      const { well, badly } = this.open.get(data.id);
      this.open.delete(data.id);
      if (data.error) badly(new Ended(data.error, data.message));
      else well(data.answer);
    });
    this.worker.addEventListener("error", (event) => {
      for (const { badly } of this.open.values()) badly(new Ended("failed", event.message ?? "worker"));
    });
  }

  ask(what, values = {}) {
    const id = ++this.asked;
    return new Promise((well, badly) => {
      this.open.set(id, { well, badly });
      this.worker.postMessage({ id, ask: what, ...values });
    });
  }

  end() {
    this.worker.terminate();
  }
}
