// Surfaces and volume by NiiVue, where it is installed and the browser has WebGL 2. It works in RAS; ours is LPS.
// A surface is shown alone at first: casting rays through a volume asks much of a small machine, so it is a wish.

import { surface } from "./stl.js";

/** Voxels that NiiVue gets at most; the texture and its copies are several times their bytes. */
const MOST_VOXELS = 32e6;
/** From the front: the patient's left is on the right, as in the slices. */
const FRONT = [180, 5];

export class Solid {
  constructor(place, viewer, t, told) {
    Object.assign(this, { place, viewer, t, told });
    this.mode = told.surfaces.length ? "surface" : "slices";
    this.meshes = new Map(); // number of the label, or of the file, to the mesh
  }

  async show() {
    if (this.opened) return this.opened;
    this.opened = this.#open().catch((error) => {
      console.warn(error);
      this.#note(this.t(error.reason ?? "solid_failed"));
    });
    return this.opened;
  }

  #note(words) {
    const note = document.createElement("p");
    note.className = "solid-note";
    note.setAttribute("role", "status");
    note.textContent = words;
    this.place.replaceChildren(note);
  }

  async #open() {
    if (!document.createElement("canvas").getContext("webgl2")) throw Object.assign(new Error("no WebGL 2"), { reason: "solid_no_webgl" });
    if (!this.told.niivue) throw Object.assign(new Error("no NiiVue"), { reason: "solid_missing" });
    this.#note(this.t("solid_loading"));
    this.library = await import(this.told.niivue).catch((error) => {
      throw Object.assign(error, { reason: "solid_missing" });
    });
    this.#build();
    const { Niivue, SHOW_RENDER } = this.library;
    this.nv = new Niivue({
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      multiplanarShowRender: SHOW_RENDER.NEVER,
      isOrientCube: true,
      show3Dcrosshair: false,
      dragAndDropEnabled: false,
      meshThicknessOn2D: 0.75 * Math.max(...this.viewer.volume.about.spacing_mm), // or thin slices would pass between
      crosshairColor: [0.47, 0.78, 1, 0.75],
      crosshairWidth: 0.5,
      fontColor: [1, 0.86, 0.24, 1],
      backColor: [0.03, 0.035, 0.05, 1],
      logLevel: "error",
    });
    await this.nv.attachToCanvas(this.canvas);
    await Promise.all(this.told.surfaces.map((file) => this.#surface(file)));
    this.viewer.onRecolour.push(() => this.#recolour());
    await this.#choose(this.mode);
  }

  #build() {
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", this.t("solid_label"));
    const frame = document.createElement("div");
    frame.className = "solid-frame";
    frame.append(this.canvas);
    const tools = document.createElement("div");
    tools.className = "segments solid-tools";
    tools.setAttribute("role", "group");
    this.buttons = ["surface", "slices", "volume"]
      .filter((mode) => mode !== "surface" || this.told.surfaces.length)
      .map((mode) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.mode = mode;
        button.textContent = this.t(`solid_${mode}`);
        button.addEventListener("click", () => this.#choose(mode));
        return button;
      });
    tools.append(...this.buttons);
    const help = document.createElement("p");
    help.className = "solid-help";
    help.textContent = this.t("solid_help");
    this.help = help;
    const masks = document.createElement("p");
    masks.className = "solid-masks";
    masks.textContent = this.t(this.told.corrected ? "solid_shows_corrected" : "solid_shows_model");
    masks.hidden = !this.told.choice;
    this.place.replaceChildren(frame, tools, help, masks);
  }

  async #surface(file) {
    const { api } = this.told;
    const answer = await fetch(`${api}/files/${file.split("/").map(encodeURIComponent).join("/")}`);
    if (!answer.ok) return;
    const { points, triangles } = surface(await answer.arrayBuffer());
    const labels = this.viewer.volume.about.labels;
    const plain = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 60);
    const stem = file.slice(file.lastIndexOf("/") + 1, -4);
    const number = labels.findIndex((label) => plain(label.name) === stem || `${plain(label.name)}-${label.value}` === stem);
    const colour = number < 0 ? [200, 200, 200] : labels[number].colour;
    const most = Math.max(...colour, 1);
    const rgba = new Uint8Array([...colour.map((part) => (part * 235) / most), 255]);
    const mesh = new this.library.NVMesh(points, triangles, stem, rgba, 1, true, this.nv.gl);
    this.nv.addMesh(mesh);
    this.meshes.set(number < 0 ? file : number, mesh);
  }

  async #choose(mode) {
    const { SLICE_TYPE } = this.library;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    this.mode = mode;
    this.help.hidden = mode === "slices";
    if (mode === "surface") {
      for (const volume of [...this.nv.volumes].reverse()) this.nv.removeVolume(volume);
      this.level = undefined;
      this.nv.setSliceType(SLICE_TYPE.RENDER);
      this.nv.setRenderAzimuthElevation(...FRONT);
    } else {
      this.nv.setSliceType(mode === "slices" ? SLICE_TYPE.MULTIPLANAR : SLICE_TYPE.RENDER);
      if (mode === "volume") this.nv.setRenderAzimuthElevation(...FRONT);
      await this.#volumes(mode);
    }
    this.#recolour();
    this.place.dataset.ready = mode;
  }

  /** Brings the volume: coarse first, then what fits. */
  async #volumes(mode) {
    const { about } = this.viewer.volume;
    const size = (level) => level.shape.reduce((a, b) => a * b, 1);
    let best = 0;
    about.levels.forEach((level, number) => { if (size(level) <= MOST_VOXELS) best = number; });
    for (const number of [...new Set([0, best])]) {
      if (this.level !== undefined && this.level >= number) continue;
      const brought = await this.#level(number);
      if (this.mode !== mode) return; // somebody chose otherwise meanwhile
      for (const volume of [...this.nv.volumes].reverse()) this.nv.removeVolume(volume);
      for (const volume of brought) this.nv.addVolume(volume);
      this.level = number;
      this.#recolour();
      this.#goTo();
    }
  }

  async #level(number) {
    const { about } = this.viewer.volume;
    const { NVImage } = this.library;
    const { centre, width } = this.viewer.state.window;
    const bring = async (kind, map, options) => {
      const address = `${this.told.api}/images/${kind}.nii?level=${number}&map=${map}&version=${encodeURIComponent(this.told.version)}`;
      let answer = await fetch(address);
      while (answer.status === 202) { // put away meanwhile, and being prepared again
        await new Promise((resolve) => setTimeout(resolve, 1000));
        answer = await fetch(address);
      }
      if (!answer.ok) throw new Error(String(answer.status));
      return NVImage.loadFromUrl({ url: await answer.arrayBuffer(), name: `${kind}-${map}.nii`, ...options });
    };
    const images = bring("images", 0, {
      colormap: "gray", cal_min: centre - width / 2, cal_max: centre + width / 2, trustCalMinMax: false,
    });
    const labels = Array.from({ length: about.maps }, (_, map) => bring("labels", map, { opacity: 0.5 }));
    return Promise.all([images, ...labels]);
  }

  #goTo() {
    const [x, y, z] = this.viewer.volume.place(this.viewer.state.cross);
    this.nv.scene.crosshairPos = this.nv.mm2frac([-x, -y, z]);
    this.nv.drawScene();
  }

  /** Shows what the list of labels says, in its colours. */
  #recolour() {
    const { visible, opacity } = this.viewer.state;
    const { labels, maps } = this.viewer.volume.about;
    for (const [number, mesh] of this.meshes) {
      if (typeof number === "number") this.nv.setMeshProperty(this.nv.getMeshIndexByID(mesh.id), "visible", visible.has(number));
    }
    const [, ...overlays] = this.nv.volumes;
    if (overlays.length === maps) {
      overlays.forEach((volume, map) => {
        const table = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [""] };
        labels.forEach((label, number) => {
          if (label.map !== map) return;
          ["R", "G", "B"].forEach((part, n) => table[part].push(label.colour[n]));
          table.A.push(visible.has(number) ? 255 : 0);
          table.I.push(label.value);
          table.labels.push("");
        });
        volume.setColormapLabel(table);
        volume.opacity = opacity;
      });
      this.nv.updateGLVolume();
    }
    this.nv.drawScene();
  }
}
