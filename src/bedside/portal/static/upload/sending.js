// One upload on its way: parts made in a worker, four at a time on the line, each again until it is there.
// It pauses when asked, waits while there is no connection, and goes on after both, and after a reload too.

import { ask, Cut, Ended, put, Refused } from "./calls.js";
import { Reader } from "./reader.js";

const AT_ONCE = 4;
const LONGEST_WAIT_S = 30;
/** A part that is refused so often for its content is refused for good. */
const TRIES = 4;
const STOPS = { 401: "signed_out", 507: "full" };

/** Fires "change" whenever something about it changed. */
export class Sending extends EventTarget {
  constructor({ told, name, files, plain }) {
    super();
    Object.assign(this, { told, name, files, plain });
    this.state = "waiting"; // waiting preparing sending retrying offline paused joining done cancelled failed
    this.why = ""; // key of a text, of paused and failed
    this.reason = "";
    this.id = "";
    this.size = 0;
    this.resumedFrom = 0;
    this.retryInS = 0;
    this.there = new Map();
    this.flights = new Map();
    this.calls = new Set();
    this.worker = null;
    this.paused = false;
    this.cancelled = false;
    this.left = null;
    this.sleepers = []; // each part on its way waits by itself
    this.changed = () => {
      if (!navigator.onLine) this.#abort();
      this.#wake();
    };
  }

  /** Bytes that arrived, or are on their way. */
  get done() {
    let sum = 0;
    for (const part of this.there.values()) sum += part.size_bytes;
    for (const loaded of this.flights.values()) sum += loaded;
    return Math.min(sum, this.size);
  }

  get moving() {
    return !["done", "cancelled", "failed"].includes(this.state);
  }

  /** Send everything; resolves when it ended, however. */
  async run() {
    this.worker = new Reader();
    for (const event of ["online", "offline"]) addEventListener(event, this.changed);
    try {
      this.#be("preparing");
      const { size, fingerprint } = await this.worker.ask("open", {
        files: this.files, plain: this.plain, partBytes: this.told.part_bytes,
      });
      this.size = size;
      if (size > this.told.most_bytes) throw new Ended("too_large");
      const wish = { name: this.name.slice(0, 200), fingerprint, files: this.files.length, size_bytes: size };
      this.#know(await this.#persist(() => ask("POST", this.told.uploads, wish)));
      this.resumedFrom = this.done;
      await this.#sendAll();
      this.#be("done");
    } catch (error) {
      if (!this.cancelled) this.#fail(error);
      else {
        await this.left;
        this.#be("cancelled");
      }
    } finally {
      for (const event of ["online", "offline"]) removeEventListener(event, this.changed);
      this.worker.end();
    }
  }

  pause(why = "") {
    this.paused = true;
    this.why = why;
    this.#abort();
    this.#be("paused");
  }

  resume() {
    this.paused = false;
    this.why = "";
    this.#be("sending");
    this.#wake();
  }

  cancel() {
    this.cancelled = true;
    this.#abort();
    this.#wake();
    this.#be("cancelled");
    // Without a connection it is only left, and the list offers to cancel it later.
    this.left = this.id ? ask("DELETE", this.#path()).catch(() => {}) : null;
  }

  async #sendAll() {
    for (let round = 0; ; round++) {
      this.#be("sending");
      await this.#sendMissing();
      this.#be("joining");
      try {
        await this.#persist(() => ask("POST", `${this.#path()}/complete`), "joining");
        return;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (error.missing && round < TRIES) {
          for (const number of error.missing) this.there.delete(number);
          await this.worker.ask("rewind");
        } else if (!(await this.#endedElsewhere(error))) throw error;
        else return;
      }
    }
  }

  async #sendMissing() {
    const flying = new Set();
    let failed = null;
    for (;;) {
      await this.#gate();
      if (failed) throw failed;
      if (flying.size >= AT_ONCE) {
        await Promise.race(flying);
        continue;
      }
      const part = await this.worker.ask("next");
      if (!part.number) break;
      const known = this.there.get(part.number);
      // A bucket that does not tell hashes is trusted: the fingerprint says that the files are the same.
      if (known && (known.sha256 ?? part.sha256) === part.sha256) continue;
      this.there.delete(part.number);
      const flight = this.#send(part).catch((error) => { failed ??= error; }).finally(() => flying.delete(flight));
      flying.add(flight);
    }
    await Promise.all(flying);
    if (failed) throw failed;
  }

  async #send(part) {
    let refused = 0;
    await this.#persist(async () => {
      const target = await ask("POST", `${this.#path()}/parts/${part.number}`, { sha256: part.sha256 });
      if (this.paused || this.cancelled) throw new Cut("paused");
      const call = put(target, part.bytes, (loaded) => {
        this.flights.set(part.number, loaded);
        this.#tell();
      });
      this.calls.add(call);
      try {
        await call.sent;
      } catch (error) {
        const ours = new URL(target.url, location.href).origin === location.origin;
        // A signed address that expired, or bytes that were damaged on the way: with a new one again.
        if (error instanceof Refused && (!ours || error.status === 422) && ++refused < TRIES) throw new Cut(error.message);
        throw error;
      } finally {
        this.calls.delete(call);
        this.flights.delete(part.number);
      }
    }).catch(async (error) => {
      if (!(await this.#endedElsewhere(error))) throw error;
      throw new Ended("elsewhere");
    });
    this.there.set(part.number, { number: part.number, size_bytes: part.bytes.length, sha256: part.sha256 });
    this.#tell();
  }

  /** Try until it works, or is refused for good; longer apart each time. */
  async #persist(work, state = "sending") {
    for (let tries = 0; ; tries++) {
      await this.#gate();
      try {
        const answer = await work();
        if (this.state === "retrying") this.#be(state);
        return answer;
      } catch (error) {
        if (this.cancelled) throw new Ended("cancelled");
        if (this.paused || !navigator.onLine) {
          tries = -1;
          continue;
        }
        if (error instanceof Refused && STOPS[error.status]) {
          this.pause(STOPS[error.status]);
          continue;
        }
        if (!again(error, tries)) throw error;
        await this.#wait(Math.min(2 ** tries, LONGEST_WAIT_S) * (0.75 + Math.random() / 2), state);
      }
    }
  }

  /** Whether another tab ended it well; one that ended it otherwise ends it here too. */
  async #endedElsewhere(error) {
    if (!(error instanceof Refused) || ![404, 409].includes(error.status)) return false;
    const found = await this.#persist(() => ask("GET", this.#path()));
    if (found.step === "sending") return false;
    if (["cancelled", "expired"].includes(found.step)) throw new Ended("gone");
    return true;
  }

  /** Pass while it may send; wait while it is paused or there is no connection. */
  async #gate() {
    while (this.paused || !navigator.onLine) {
      if (this.cancelled) throw new Ended("cancelled");
      this.#be(this.paused ? "paused" : "offline");
      await new Promise((wake) => this.sleepers.push(wake));
    }
    if (this.cancelled) throw new Ended("cancelled");
    if (this.state === "offline" || this.state === "paused") this.#be("sending");
  }

  async #wait(seconds, state) {
    for (let left = seconds; left > 0 && !this.paused && !this.cancelled && navigator.onLine; left -= 1) {
      this.retryInS = Math.ceil(left);
      this.#be("retrying");
      const nap = Math.min(left, 1) * 1000;
      await new Promise((wake) => { this.sleepers.push(wake); setTimeout(wake, nap); });
    }
    if (this.state === "retrying") this.#be(state);
  }

  #know(upload) {
    this.id = upload.id;
    this.there = new Map(upload.there.map((part) => [part.number, part]));
  }

  #fail(error) {
    if (error instanceof Ended && error.key === "elsewhere") {
      this.#be("done");
      return;
    }
    const byStatus = { 403: "refused", 404: "gone", 413: "too_large" };
    this.why = error instanceof Ended ? error.key : (byStatus[error.status] ?? "failed");
    this.reason = error.message;
    this.#be("failed");
  }

  #wake() {
    for (const wake of this.sleepers.splice(0)) wake();
    this.#tell();
  }

  #abort() {
    for (const call of this.calls) call.abort();
  }

  #path() {
    return `${this.told.uploads}/${this.id}`;
  }

  #be(state) {
    this.state = state;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

function again(error, tries) {
  if (error instanceof Cut) return true;
  if (!(error instanceof Refused)) return false;
  if (error.status === 409) return !error.missing && tries < 2;
  return [408, 425, 429].includes(error.status) || error.status >= 500;
}
