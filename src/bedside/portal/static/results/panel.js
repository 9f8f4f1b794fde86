// One plane on the screen: draws it with its overlay, cross-hair and letters, and takes pointers and keys.

import { lay, overlay, picture } from "./paint.js";

export const PLANES = ["axial", "coronal", "sagittal"];
/** Axes (down, across) of each plane's picture; the plane itself is across the third. */
const AXES = [[1, 2], [0, 2], [0, 1]];
const SCROLL_PX = 7;

export class Panel {
  /** `view` is the viewer: its state, its volume, and what it does when something is to change. */
  constructor(view, axis) {
    this.view = view;
    this.axis = axis;
    [this.down, this.across] = AXES[axis];
    this.zoom = 1;
    this.pan = [0, 0]; // millimetres: across, down
    this.grey = document.createElement("canvas");
    this.colour = document.createElement("canvas");
    this.lines = document.createElement("canvas");
    this.pointers = new Map();
    this.drawn = "";
    this.#build();
    new ResizeObserver(() => this.view.draw()).observe(this.frame);
  }

  #build() {
    const { t, volume } = this.view;
    const name = t(PLANES[this.axis]);
    this.element = document.createElement("div");
    this.element.className = `panel ${PLANES[this.axis]}`;
    this.element.dataset.plane = PLANES[this.axis];
    this.frame = document.createElement("div");
    this.frame.className = "frame";
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", t("panel", { plane: name }));
    this.frame.append(this.canvas);
    const [low, high] = [0, 1];
    const letters = volume.about.letters;
    const marks = {
      left: letters[this.across][low],
      right: letters[this.across][high],
      top: this.down === 0 ? letters[0][high] : letters[1][low],
      bottom: this.down === 0 ? letters[0][low] : letters[1][high],
    };
    const corner = (kind, words) => {
      const mark = document.createElement("span");
      mark.className = kind;
      mark.textContent = words;
      mark.setAttribute("aria-hidden", "true");
      this.frame.append(mark);
      return mark;
    };
    for (const [side, letter] of Object.entries(marks)) corner(`letter ${side}`, letter);
    corner("plane-name", name);
    this.where = corner("plane-where", "");
    this.slider = document.createElement("input");
    Object.assign(this.slider, { type: "range", min: 1, max: volume.shape[this.axis], step: 1 });
    this.slider.setAttribute("aria-label", t("slice_of", { plane: name }));
    this.slider.addEventListener("input", () => this.view.go(this.axis, Number(this.slider.value) - 1));
    this.element.append(this.frame, this.slider);
    this.canvas.addEventListener("pointerdown", (event) => this.#pressed(event));
    this.canvas.addEventListener("pointermove", (event) => this.#moved(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    this.canvas.addEventListener("dblclick", () => this.view.makeMain(PLANES[this.axis]));
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.canvas.addEventListener("wheel", (event) => this.#wheeled(event), { passive: false });
    this.canvas.addEventListener("keydown", (event) => this.#typed(event));
  }

  // Geometry: pixels of the canvas, millimetres from the picture's corner, indices of voxels.

  get #size() {
    const spacing = this.view.volume.about.spacing_mm;
    const shape = this.view.volume.shape;
    return [shape[this.across] * spacing[this.across], shape[this.down] * spacing[this.down]];
  }

  #frameOf() {
    const [wide, high] = this.#size;
    const { clientWidth, clientHeight } = this.frame;
    const scale = Math.min(clientWidth / wide, clientHeight / high) * this.zoom;
    return {
      scale,
      left: clientWidth / 2 - (wide / 2 - this.pan[0]) * scale,
      top: clientHeight / 2 - (high / 2 - this.pan[1]) * scale,
    };
  }

  /** Pixels (in CSS) of a voxel's centre. */
  pixel(index) {
    const { scale, left, top } = this.#frameOf();
    const spacing = this.view.volume.about.spacing_mm;
    const rows = this.view.volume.shape[this.down];
    const row = this.down === 0 ? rows - 1 - index[this.down] : index[this.down];
    return [
      left + (index[this.across] + 0.5) * spacing[this.across] * scale,
      top + (row + 0.5) * spacing[this.down] * scale,
    ];
  }

  /** The voxel under a pixel (in CSS), in this panel's plane, within the volume. */
  voxel(x, y) {
    const { scale, left, top } = this.#frameOf();
    const { shape, about } = this.view.volume;
    const clamp = (value, axis) => Math.max(0, Math.min(shape[axis] - 1, value));
    const row = Math.floor((y - top) / scale / about.spacing_mm[this.down]);
    const index = [...this.view.state.cross];
    index[this.across] = clamp(Math.floor((x - left) / scale / about.spacing_mm[this.across]), this.across);
    index[this.down] = clamp(this.down === 0 ? shape[0] - 1 - row : row, this.down);
    return index;
  }

  draw() {
    const { clientWidth, clientHeight } = this.frame;
    if (!clientWidth || !clientHeight) return;
    const { state, volume, table, colours, marks, other } = this.view;
    const slice = state.cross[this.axis];
    const key = [slice, marks.voxels, marks.window, marks.overlay].join();
    if (key !== this.drawn) {
      this.shown = volume.plane(this.axis, slice);
      picture(this.shown, table, this.grey);
      overlay(this.shown, colours, this.colour);
      this.against = other?.volume.plane(this.axis, slice);
      if (other) overlay(this.against, other.colours, this.lines, { dashed: true });
      this.drawn = key;
      this.#say(slice);
    }
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#drawPlane(context);
    this.#drawCross(context, clientWidth, clientHeight);
  }

  #drawPlane(context) {
    const frame = this.#frameOf();
    const { about } = this.view.volume;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    lay(context, this.grey, this.shown, frame, about);
    context.imageSmoothingEnabled = false;
    lay(context, this.colour, this.shown, frame, about);
    if (this.against) lay(context, this.lines, this.against, frame, about);
  }

  #drawCross(context, width, height) {
    const [x, y] = this.pixel(this.view.state.cross);
    context.lineWidth = 1;
    context.strokeStyle = "rgba(120, 200, 255, 0.75)";
    context.beginPath();
    const gap = 9; // what is pointed at stays free
    for (const [x1, y1, x2, y2] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
      context.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
      context.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
    }
    context.stroke();
  }

  #say(slice) {
    const { t, volume } = this.view;
    const count = volume.shape[this.axis];
    const mm = this.view.along(this.axis);
    this.where.textContent = `${slice + 1} / ${count} · ${mm} mm`;
    const words = t("slice", { plane: t(PLANES[this.axis]), n: slice + 1, count, mm });
    this.canvas.setAttribute("aria-label", words);
    this.slider.value = slice + 1;
    this.slider.setAttribute("aria-valuetext", words);
    this.words = words;
  }

  reset() {
    this.zoom = 1;
    this.pan = [0, 0];
  }

  zoomBy(factor, at) {
    const [x, y] = at ?? [this.frame.clientWidth / 2, this.frame.clientHeight / 2];
    const before = this.#frameOf();
    this.zoom = Math.max(0.5, Math.min(30, this.zoom * factor));
    const after = this.#frameOf();
    // What lay under the pointer stays there.
    const millimetres = [(x - before.left) / before.scale, (y - before.top) / before.scale];
    const moved = [(x - after.left) / after.scale, (y - after.top) / after.scale];
    this.pan[0] += moved[0] - millimetres[0];
    this.pan[1] += moved[1] - millimetres[1];
    this.view.draw();
  }

  // Pointers

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #pressed(event) {
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.#place(event);
    this.pointers.set(event.pointerId, at);
    this.scrolled = 0;
    this.tool = event.button === 2 ? "window" : event.button === 1 || event.shiftKey ? "pan" : this.view.state.tool;
    if (event.button === 1) event.preventDefault();
    if (this.tool === "point" && this.pointers.size === 1) this.view.point(this.voxel(...at));
  }

  #moved(event) {
    const before = this.pointers.get(event.pointerId);
    const at = this.#place(event);
    if (!before) return;
    this.pointers.set(event.pointerId, at);
    const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
    if (this.pointers.size === 2) {
      this.#pinched(event.pointerId, before, at);
    } else if (this.tool === "window") {
      this.view.windowBy(dx, dy);
    } else if (this.tool === "pan") {
      this.#panBy(dx, dy);
    } else if (this.tool === "zoom") {
      this.zoomBy(Math.exp(-dy / 120));
    } else if (event.pointerType === "touch") {
      this.scrolled += dy;
      const steps = Math.trunc(this.scrolled / SCROLL_PX);
      this.scrolled -= steps * SCROLL_PX;
      if (steps) this.scroll(steps);
    } else {
      this.view.point(this.voxel(...at));
    }
  }

  #panBy(dx, dy) {
    const { scale } = this.#frameOf();
    this.pan[0] += dx / scale;
    this.pan[1] += dy / scale;
    this.view.draw();
  }

  #pinched(moving, before, at) {
    const [other] = [...this.pointers].filter(([id]) => id !== moving).map(([, place]) => place);
    const distance = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
    this.zoomBy(distance(at) / distance(before), [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2]);
    this.#panBy((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
  }

  #wheeled(event) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) this.zoomBy(Math.exp(-event.deltaY / 300), this.#place(event));
    else this.scroll(event.deltaY > 0 ? 1 : -1);
  }

  /** Goes on by slices: down a picture's stack, to the feet, the back or the left. */
  scroll(steps) {
    const way = this.axis === 0 ? -1 : 1;
    this.view.go(this.axis, this.view.state.cross[this.axis] + way * steps);
  }

  #typed(event) {
    const last = this.view.volume.shape[this.axis] - 1;
    const move = (axis, by) => this.view.go(axis, this.view.state.cross[axis] + by);
    const rows = this.down === 0 ? -1 : 1;
    const keys = event.shiftKey
      ? {
          ArrowUp: () => move(this.down, -rows), ArrowDown: () => move(this.down, rows),
          ArrowLeft: () => move(this.across, -1), ArrowRight: () => move(this.across, 1),
          "+": () => this.zoomBy(1.25), "*": () => this.zoomBy(1.25),
        }
      : {
          ArrowUp: () => this.scroll(-1), ArrowDown: () => this.scroll(1),
          ArrowLeft: () => this.scroll(-1), ArrowRight: () => this.scroll(1),
          PageUp: () => this.scroll(-10), PageDown: () => this.scroll(10),
          Home: () => this.view.go(this.axis, this.axis === 0 ? last : 0),
          End: () => this.view.go(this.axis, this.axis === 0 ? 0 : last),
          "+": () => this.zoomBy(1.25), "=": () => this.zoomBy(1.25), "-": () => this.zoomBy(0.8),
          "[": () => this.view.windowBy(-10, 0), "]": () => this.view.windowBy(10, 0),
          ",": () => this.view.windowBy(0, -10), ".": () => this.view.windowBy(0, 10),
          o: () => this.view.toggleAll(), 0: () => this.view.reset(),
        };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    this.view.announce(() => this.words);
  }
}
