// The images of a result: what they are, and their voxels as they arrive, coarse first.
// Axes are (z, y, x): to the head, to the back, to the patient's left. Indices are those of the full volume.

/** Bytes of voxels that a tab may hold; a phone has less. */
const ROOM = 600e6, ROOM_SMALL = 150e6;
const ABREAST = 3;

export class Refused extends Error {}

async function ask(address, signal) {
  let answer;
  try {
    answer = await fetch(address, { signal, headers: { Accept: "application/json, application/octet-stream" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw Object.assign(new Refused(problem.said ? `${problem.said} ${problem.todo ?? ""}` : (problem.detail ?? "")), { status: answer.status });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks for the description, under a version of the masks, until it is prepared; tells how far that is. */
export async function describe(api, version, tell) {
  for (let wait = 300; ; wait = Math.min(wait * 1.5, 2000)) {
    const answer = await ask(`${api}/images?version=${encodeURIComponent(version)}`);
    const said = await answer.json();
    if (answer.status !== 202) return said;
    tell(said.progress);
    await pause(wait);
  }
}

export class Volume extends EventTarget {
  /** `version` is that of the masks; `bare` leaves the images out, `level` is the target instead of what fits. */
  constructor(api, about, version, { bare = false, level: wanted } = {}) {
    super();
    this.api = api;
    this.asked = `?version=${encodeURIComponent(version)}${bare ? "&part=labels" : ""}`;
    this.imageBytes = bare ? 0 : 2; // of a voxel
    this.about = about;
    this.shape = about.shape;
    this.coarse = level(about, 0, bare);
    const room = navigator.deviceMemory <= 4 || matchMedia("(pointer: coarse)").matches ? ROOM_SMALL : ROOM;
    let best = 0;
    about.levels.forEach((one, number) => {
      if (size(one.shape) * (2 + about.maps) <= room) best = number;
    });
    best = wanted ?? best;
    this.target = best === 0 ? this.coarse : level(about, best, bare);
    this.sharp = new Map(); // planes with every voxel, where the target has not
    this.stop = new AbortController();
  }

  /** Brings the coarse level; resolves when there is something to draw. */
  async begin() {
    await this.#bring(this.coarse, () => 0, () => {});
  }

  /** Brings the rest, nearest to `near()` first. */
  async complete(near, tell) {
    if (this.target === this.coarse) return;
    await this.#bring(this.target, near, tell);
  }

  async #bring(one, near, tell) {
    const left = new Set(one.have.keys());
    const count = left.size;
    const next = async () => {
      while (left.size) {
        const at = near() / one.stride[0] / one.slab - 0.5;
        const number = [...left].sort((a, b) => Math.abs(a - at) - Math.abs(b - at))[0];
        left.delete(number);
        await this.#slab(one, number);
        tell((count - left.size) / count);
        this.dispatchEvent(new Event("voxels"));
      }
    };
    await Promise.all(Array.from({ length: Math.min(ABREAST, count) }, next));
  }

  async #slab(one, number) {
    const address = `${this.api}/images/levels/${one.number}/${number}${this.asked}`;
    let answer;
    for (let attempt = 0; ; attempt += 1) {
      try {
        answer = await this.#bytes(address);
        break;
      } catch (error) {
        // The line broke for a moment, or what was prepared is not there any more.
        if (error.name === "AbortError" || attempt >= 5 || [401, 403, 422].includes(error.status)) throw error;
        await pause(500 * 2 ** attempt);
      }
    }
    const plane = one.shape[1] * one.shape[2];
    const from = number * one.slab;
    const voxels = Math.min(one.slab, one.shape[0] - from) * plane;
    if (answer.byteLength !== voxels * (this.imageBytes + one.maps.length)) throw new Refused("");
    if (this.imageBytes) one.images.set(new Int16Array(answer, 0, voxels), from * plane);
    one.maps.forEach((map, n) => map.set(this.#map(answer, n, voxels), from * plane));
    one.have[number] = 1;
  }

  /** The n-th label map of an answer. */
  #map(answer, n, voxels) {
    return new Uint8Array(answer, voxels * (this.imageBytes + n), voxels);
  }

  async #bytes(address) {
    const answer = await ask(address, this.stop.signal);
    if (answer.status === 202) throw new Refused(""); // put away, and being prepared again
    return answer.arrayBuffer();
  }

  /** Whether a plane of the target shows fewer voxels than there are. */
  get thinned() {
    return this.target.stride.some((by) => by > 1);
  }

  /** Brings one plane with every voxel. */
  async sharpen(axis, index) {
    const key = `${axis}/${index}`;
    if (!this.thinned || this.sharp.has(key)) return;
    const name = ["axial", "coronal", "sagittal"][axis];
    const answer = await this.#bytes(`${this.api}/images/planes/${name}/${index}${this.asked}`);
    const voxels = size(this.shape) / this.shape[axis];
    const images = new Int16Array(answer, 0, this.imageBytes ? voxels : 0);
    const maps = this.target.maps.map((_, n) => this.#map(answer, n, voxels));
    if (this.sharp.size >= 12) this.sharp.delete(this.sharp.keys().next().value);
    this.sharp.set(key, { images, maps });
    this.dispatchEvent(new Event("voxels"));
  }

  /**
   * A plane as it is drawn: rows from top to bottom, columns from left to right of the picture.
   * Where the target has not come yet, the coarse level stands in, voxel by voxel.
   */
  plane(axis, index) {
    const [down, across] = [[1, 2], [0, 2], [0, 1]][axis];
    const sharp = this.sharp.get(`${axis}/${index}`);
    const stride = sharp ? [1, 1, 1] : this.target.stride;
    const shape = sharp ? this.shape : this.target.shape;
    const height = shape[down], width = shape[across];
    const values = new Int16Array(width * height);
    const labels = this.target.maps.map(() => new Uint8Array(width * height));
    const head = down === 0; // head up: rows run against z
    for (let row = 0; row < height; row += 1) {
      const i = head ? height - 1 - row : row;
      const out = row * width;
      if (sharp) {
        values.set(sharp.images.subarray(i * width, (i + 1) * width), out);
        labels.forEach((one, n) => one.set(sharp.maps[n].subarray(i * width, (i + 1) * width), out));
      } else {
        this.#row(axis, index, i, out, width, values, labels);
      }
    }
    return { values, labels, width, height, stride: [stride[down], stride[across]], down, across, head };
  }

  #row(axis, index, i, out, width, values, labels) {
    const target = this.target;
    const at = nearest(index, target.stride[axis], target.shape[axis]);
    const z = axis === 0 ? at : i;
    const here = target.have[Math.floor(z / target.slab)];
    const from = here ? target : this.coarse;
    const by = target.stride.map((stride, n) => stride / from.stride[n]);
    const place = (n, value) => (here ? value : Math.min(from.shape[n] - 1, Math.round(value * by[n])));
    const [, ny, nx] = from.shape;
    let start, step;
    if (axis === 0) [start, step] = [(place(0, at) * ny + place(1, i)) * nx, 2];
    else if (axis === 1) [start, step] = [(place(0, i) * ny + place(1, at)) * nx, 2];
    else [start, step] = [place(0, i) * ny * nx + place(2, at), 1];
    for (let column = 0; column < width; column += 1) {
      const voxel = start + (step === 2 ? place(2, column) : place(1, column) * nx);
      values[out + column] = from.images[voxel];
      for (let n = 0; n < labels.length; n += 1) labels[n][out + column] = from.maps[n][voxel];
    }
  }

  /** Value and labels at a voxel, from the best that is there. */
  at([z, y, x]) {
    const t = this.target;
    const iz = nearest(z, t.stride[0], t.shape[0]);
    const from = t.have[Math.floor(iz / t.slab)] ? t : this.coarse;
    const index = [z, y, x].map((value, n) => nearest(value, from.stride[n], from.shape[n]));
    const voxel = (index[0] * from.shape[1] + index[1]) * from.shape[2] + index[2];
    return {
      value: from.images[voxel] * this.about.slope + this.about.intercept,
      labels: from.maps.map((map) => map[voxel]),
    };
  }

  /** LPS millimetres of a voxel. */
  place([z, y, x]) {
    return this.about.affine.slice(0, 3).map((row) => row[0] * z + row[1] * y + row[2] * x + row[3]);
  }

  close() {
    this.stop.abort();
  }
}

function level(about, number, bare) {
  const { stride, shape, slab, slabs } = about.levels[number];
  return {
    number, stride, shape, slab,
    images: new Int16Array(bare ? 0 : size(shape)),
    maps: Array.from({ length: about.maps }, () => new Uint8Array(size(shape))),
    have: new Uint8Array(slabs),
  };
}

const size = (shape) => shape.reduce((a, b) => a * b, 1);
const nearest = (index, stride, count) => Math.max(0, Math.min(count - 1, Math.round(index / stride)));
