// Another version of the masks as dashed lines over those that are shown.

import { describe, Volume } from "./volume.js";

export function offerComparison(root, viewer, t, told) {
  const select = root.querySelector("#against");
  if (!select) return;
  const legend = root.querySelector("#against-legend");
  const words = legend.lastElementChild;
  const drawn = words.textContent;
  for (const option of select.options) { // under the names that the choice has, in the browser's own time
    const link = root.querySelector(`.masks a[href$="version=${option.value}"]`);
    if (option.value && link) option.textContent = link.textContent.trim();
  }
  let wish = 0;
  let other = null;
  const say = (text) => {
    legend.hidden = !text;
    words.textContent = text;
  };

  select.addEventListener("change", async () => {
    const mine = (wish += 1);
    other?.close();
    other = null;
    viewer.compare(null);
    legend.classList.remove("drawn");
    if (!select.value) return say("");
    say(t("comparing"));
    try {
      const about = await describe(told.api, select.value, () => {});
      if (mine !== wish) return;
      other = new Volume(told.api, about, select.value, { bare: true, level: viewer.volume.target.number });
      await other.begin();
      if (mine !== wish) return;
      viewer.compare(other);
      await other.complete(() => viewer.state.cross[0], () => {});
      if (mine !== wish) return;
      say(drawn);
      legend.classList.add("drawn");
      viewer.point(viewer.state.cross); // and the sharp planes, where there are
    } catch (error) {
      if (mine !== wish || error.name === "AbortError") return;
      viewer.compare(null);
      select.value = "";
      say(t("cannot_compare", { why: error.message || t("no_answer") }));
    }
  });
  window.addEventListener("pagehide", () => other?.close(), { once: true });
}
