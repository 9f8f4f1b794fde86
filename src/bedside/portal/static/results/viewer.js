// The viewer of slices: what is looked at, in which window, with which labels; three panels draw it.

import { greys, lines, palettes } from "./paint.js";
import { Panel, PLANES } from "./panel.js";

/** Centre and width, HU. */
const CT_WINDOWS = {
  soft: [40, 400], liver: [60, 180], lung: [-600, 1500], bone: [480, 2500], brain: [40, 80], angio: [300, 700],
};
const DARK_HU = -400;
const FAR = [["R", "L"], ["A", "P"], ["F", "H"]];

export class Viewer {
  constructor(root, volume, t) {
    this.root = root;
    this.volume = volume;
    this.t = t;
    this.onRecolour = []; // what else shows the labels
    this.other = null; // masks of another version, as lines
    this.marks = { voxels: 0, window: 0, overlay: 0 };
    const labels = volume.about.labels;
    this.state = {
      cross: this.#start(),
      window: null,
      tool: "point",
      opacity: 0.4,
      outline: true,
      visible: new Set(labels.keys()),
    };
    this.panels = PLANES.map((_, axis) => new Panel(this, axis));
    this.place = root.querySelector("#panels");
    this.place.replaceChildren(...this.panels.map((panel) => panel.element));
    this.live = document.createElement("p");
    this.live.className = "sr";
    this.live.setAttribute("aria-live", "polite");
    this.place.after(this.live);
    this.#windows();
    this.#tools();
    volume.addEventListener("voxels", () => {
      this.marks.voxels += 1;
      this.draw();
    });
    this.#recolour();
  }

  /** Where to look first: the largest thing found, or the middle. */
  #start() {
    const { labels } = this.volume.about;
    const largest = labels.filter((label) => label.centre).sort((a, b) => b.voxels - a.voxels)[0];
    const at = largest ? largest.centre : this.volume.shape.map((count) => (count - 1) / 2);
    return this.#within(at);
  }

  #within(index) {
    return index.map((value, n) => Math.max(0, Math.min(this.volume.shape[n] - 1, Math.round(value))));
  }

  // What changes

  go(axis, index) {
    const cross = [...this.state.cross];
    cross[axis] = index;
    this.point(cross);
  }

  point(index) {
    this.state.cross = this.#within(index);
    this.draw();
    if (this.volume.thinned) {
      clearTimeout(this.still);
      this.still = setTimeout(() => this.#sharpen(), 250);
    }
  }

  #sharpen() {
    for (const panel of this.panels) {
      if (!panel.frame.clientWidth) continue;
      for (const volume of [this.volume, this.other?.volume]) {
        volume?.sharpen(panel.axis, this.state.cross[panel.axis]).catch(() => {});
      }
    }
  }

  /** Draws the masks of another version as lines, or (null) no more. */
  compare(volume) {
    this.other = volume && { volume };
    volume?.addEventListener("voxels", () => {
      this.marks.voxels += 1;
      this.draw();
    });
    this.#recolour();
  }

  setWindow(centre, width, preset) {
    this.state.window = { centre, width: Math.max(width, 1e-6) };
    this.table = greys(this.state.window, this.volume.about.slope, this.volume.about.intercept);
    this.marks.window += 1;
    this.preset.value = preset;
    const digits = width < 20 ? 2 : 0;
    this.now.textContent = `C ${centre.toFixed(digits)} W ${width.toFixed(digits)}`;
    this.draw();
  }

  windowBy(dx, dy) {
    const { centre, width } = this.state.window;
    const step = Math.max(width, (this.volume.about.most - this.volume.about.least) / 50) / 200;
    this.setWindow(centre + dy * step, Math.max(width + dx * step * 2, step), "own");
  }

  toggleAll() {
    const labels = this.volume.about.labels;
    this.show(this.state.visible.size ? [] : labels.keys());
  }

  /** Shows these labels (by number) and no others. */
  show(numbers) {
    this.state.visible = new Set(numbers);
    this.#recolour();
    this.shownChanged?.();
  }

  setOpacity(opacity) {
    this.state.opacity = opacity;
    this.#recolour();
  }

  setOutline(outline) {
    this.state.outline = outline;
    this.#recolour();
  }

  #recolour() {
    const { visible, opacity, outline } = this.state;
    this.colours = palettes(this.volume.about.labels, this.volume.about.maps, visible, opacity, outline);
    if (this.other) {
      // A label that only the other has is drawn unless all are hidden.
      const { labels, maps } = this.other.volume.about;
      const known = new Map(this.volume.about.labels.map((label, number) => [label.name, number]));
      const some = visible.size > 0;
      this.other.colours = lines(labels, maps, (name) => (known.has(name) ? visible.has(known.get(name)) : some));
    }
    this.marks.overlay += 1;
    this.draw();
    for (const hear of this.onRecolour) hear();
  }

  goTo(label) {
    if (label.centre) this.point(label.centre);
  }

  makeMain(plane) {
    this.place.dataset.main = plane;
    for (const button of this.root.querySelectorAll("[data-main]")) {
      if (button.tagName === "BUTTON") button.setAttribute("aria-pressed", String(button.dataset.main === plane));
    }
    this.draw();
  }

  reset() {
    for (const panel of this.panels) panel.reset();
    this.state.cross = this.#start();
    this.#firstWindow();
  }

  // What is said

  /** Millimetres of the cross-hair along an axis, as people say it: "F 292.4". */
  along(axis) {
    const affine = this.volume.about.affine;
    const column = [0, 1, 2].map((row) => Math.abs(affine[row][axis]));
    const nearest = column.indexOf(Math.max(...column));
    return far(nearest, this.volume.place(this.state.cross)[nearest]);
  }

  readout() {
    const { value, labels } = this.volume.at(this.state.cross);
    const place = this.volume.place(this.state.cross).map((mm, axis) => far(axis, mm));
    const about = this.volume.about;
    const digits = about.slope === 1 ? 0 : 3;
    const names = about.labels.filter((label) => labels[label.map] === label.value).map((label) => label.name);
    const thinned = this.volume.thinned ? [this.t("thinned", { n: Math.max(...this.volume.target.stride) })] : [];
    const said = [`${place.join("  ")} mm`, `${value.toFixed(digits)} ${about.unit}`.trim(), ...names, ...thinned];
    return said.join("  ·  ");
  }

  announce(words) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { this.live.textContent = words(); }, 400);
  }

  draw() {
    if (this.asked || !this.table || !this.colours) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      for (const panel of this.panels) panel.draw();
      this.root.querySelector("#readout").textContent = this.readout();
      this.root.dataset.drawn = String(Number(this.root.dataset.drawn ?? 0) + 1);
    });
  }

  // Tools

  #windows() {
    const { t, volume } = this;
    this.preset = this.root.querySelector("#window-preset");
    this.now = this.root.querySelector("#window-now");
    const { least, most, modality } = volume.about;
    this.windows = {
      ...(modality === "CT" ? CT_WINDOWS : {}),
      auto: [(least + most) / 2, most - least],
    };
    for (const name of [...Object.keys(this.windows), "own"]) {
      const option = new Option(t(`window_${name}`), name);
      option.hidden = name === "own";
      this.preset.add(option);
    }
    this.preset.addEventListener("change", () => {
      const window = this.windows[this.preset.value];
      if (window) this.setWindow(...window, this.preset.value);
    });
    this.#firstWindow();
  }

  #firstWindow() {
    const { modality, labels } = this.volume.about;
    let name = modality === "CT" ? "soft" : "auto";
    // In the window of soft tissue lung is black, and what was found in it too.
    if (modality === "CT" && labels.length && this.volume.at(this.#start()).value < DARK_HU) name = "lung";
    this.setWindow(...this.windows[name], name);
  }

  #tools() {
    const press = (name, choose) => {
      const buttons = [...this.root.querySelectorAll(`button[data-${name}]`)];
      for (const button of buttons) {
        button.addEventListener("click", () => {
          for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
          choose(button.dataset[name]);
        });
      }
    };
    press("tool", (tool) => {
      this.state.tool = tool;
      this.place.dataset.tool = tool;
    });
    press("main", (plane) => this.makeMain(plane));
    this.place.dataset.tool = this.state.tool;
    this.root.querySelector("#reset").addEventListener("click", () => this.reset());
  }
}

/** A coordinate of patient space as people say it. See PS3.3 C.7.6.2.1.1: x to the left, y to the back, z to the head. */
function far(axis, mm) {
  const rounded = Math.abs(mm).toFixed(1);
  return `${FAR[axis][mm >= 0 ? 1 : 0]} ${rounded}`;
}
