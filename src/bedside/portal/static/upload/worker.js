// Reads, joins and hashes beside the page, so that the page stays quick. Answers one question after another.

import { Archive, Changed, Parts, Plain } from "./archive.js";
import { sha256 } from "./sha256.js";

let parts = null;

const answers = {
  /** Begin with files: [{path, file}]; `plain` is one ZIP that is sent as it is. */
  async open({ files, plain, partBytes }) {
    const archive = plain ? new Plain(files[0].file) : new Archive(files);
    parts = new Parts(archive, partBytes);
    const told = files.map(({ path, file }) => [path, file.size, file.lastModified]);
    const fingerprint = await sha256(new TextEncoder().encode(JSON.stringify(["bedside.upload/1", plain, told])));
    return { size: archive.size, fingerprint };
  },
  async next() {
    const part = await parts.next();
    return part ? { ...part, sha256: await sha256(part.bytes) } : { number: 0 };
  },
  rewind() {
    parts.rewind();
    return {};
  },
};

let before = Promise.resolve();
addEventListener("message", ({ data }) => {
  before = before.then(async () => {
    try {
      const answer = await answers[data.ask](data);
      postMessage({ id: data.id, answer }, answer.bytes ? [answer.bytes.buffer] : []);
    } catch (error) {
      postMessage({ id: data.id, error: error instanceof Changed ? "changed" : "failed", message: String(error) });
    }
  });
});
