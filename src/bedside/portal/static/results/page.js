// The page of a result: the preview stands until slices can be drawn, and stays where they cannot.

import { describe, Volume } from "./volume.js";
import { offerComparison } from "./compare.js";
import { listLabels } from "./labels.js";
import { Viewer } from "./viewer.js";

const told = JSON.parse(document.getElementById("told").textContent);
const root = document.getElementById("viewer");
const loading = document.getElementById("loading");
const parts = { slices: "panels", solid: "solid", preview: "preview" };

/** A text of the page, with its values. */
function t(key, values = {}) {
  return (told.words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function say(words) {
  loading.hidden = !words;
  loading.textContent = words;
}

function show(which) {
  for (const [name, id] of Object.entries(parts)) document.getElementById(id).hidden = name !== which;
  for (const button of root.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === which));
  }
  for (const part of root.querySelectorAll(".only-slices")) part.hidden = which !== "slices";
  document.getElementById("readout").hidden = which !== "slices";
  document.getElementById("rail").hidden = which === "preview";
  root.dataset.state = which;
}

function fail(error) {
  say("");
  const problem = document.getElementById("problem");
  problem.textContent = t("cannot", { why: error.message || t("no_answer") });
  problem.hidden = false;
  root.dataset.state = "failed";
}

async function start() {
  say(t("preparing", { percent: 0 }));
  const about = await describe(told.api, told.version, (progress) => say(t("preparing", { percent: Math.round(progress * 100) })));
  const volume = new Volume(told.api, about, told.version);
  window.addEventListener("pagehide", () => volume.close(), { once: true });
  await volume.begin();
  root.querySelector(".tools").hidden = false;
  show("slices");
  const viewer = new Viewer(root, volume, t);
  listLabels(root, viewer, t, told.measured);
  offerOthers(viewer);
  offerComparison(root, viewer, t, told);
  if (volume.target !== volume.coarse) {
    say(t("loading", { percent: 0 }));
    await volume.complete(() => viewer.state.cross[0], (done) => say(t("loading", { percent: Math.round(done * 100) })));
  }
  say("");
  root.dataset.loaded = "whole";
  viewer.point(viewer.state.cross); // and the sharp planes, where there are
}

function offerOthers(viewer) {
  let solid = null;
  for (const button of root.querySelectorAll("[data-show]")) {
    button.addEventListener("click", async () => {
      show(button.dataset.show);
      if (button.dataset.show === "slices") viewer.draw();
      if (button.dataset.show !== "solid") return;
      if (!solid) {
        const { Solid } = await import("./solid.js");
        solid = new Solid(document.getElementById("solid"), viewer, t, told);
      }
      await solid.show();
    });
  }
  if (!document.querySelector("#preview img")) root.querySelector('[data-show="preview"]').hidden = true;
}

start().catch((error) => {
  if (error.name !== "AbortError") fail(error);
});
