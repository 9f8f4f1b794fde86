// The list of labels beside the picture: show, hide, go to.

const FILTER_FROM = 12;

export function listLabels(root, viewer, t, measured) {
  const list = root.querySelector("#labels");
  const labels = viewer.volume.about.labels;
  const boxes = labels.map((label, number) => {
    const item = document.createElement("li");
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", checked: true, id: `label-${number}` });
    box.disabled = label.voxels === 0;
    box.checked = label.voxels > 0;
    const name = document.createElement("label");
    name.className = "inline";
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.backgroundColor = `rgb(${label.colour.join()})`;
    const words = document.createElement("span");
    words.className = "name";
    words.textContent = label.name;
    name.append(box, swatch, words);
    item.append(name);
    const volume = measured[label.name];
    const more = document.createElement(label.centre ? "button" : "span");
    more.className = label.centre ? "quiet go" : "muted";
    more.textContent = label.voxels === 0 ? t("not_found") : volume == null ? "⌖" : `${volume.toFixed(1)} mL`;
    if (label.centre) {
      more.type = "button";
      more.setAttribute("aria-label", `${t("go_to", { label: label.name })}: ${more.textContent}`);
      more.title = t("go_to", { label: label.name });
      more.addEventListener("click", () => viewer.goTo(label));
    }
    item.append(more);
    item.dataset.name = label.name.toLowerCase();
    box.addEventListener("change", () => viewer.show(chosen()));
    list.append(item);
    return box;
  });
  const chosen = () => boxes.flatMap((box, number) => (box.checked ? [number] : []));
  viewer.shownChanged = () => boxes.forEach((box, number) => { box.checked = viewer.state.visible.has(number); });
  viewer.show(labels.flatMap((label, number) => (label.voxels ? [number] : [])));
  if (!labels.length) {
    const none = document.createElement("li");
    none.className = "muted";
    none.textContent = t("no_labels");
    list.append(none);
  }
  const some = labels.flatMap((label, number) => (label.voxels ? [number] : []));
  root.querySelector("#show-all").addEventListener("click", () => viewer.show(some));
  root.querySelector("#hide-all").addEventListener("click", () => viewer.show([]));
  root.querySelector(".rail-all").hidden = some.length < 2;
  root.querySelector("#opacity").addEventListener("input", (event) => viewer.setOpacity(event.target.value / 100));
  root.querySelector("#outline").addEventListener("change", (event) => viewer.setOutline(event.target.checked));
  const filter = root.querySelector("#label-filter");
  filter.hidden = labels.length < FILTER_FROM;
  filter.addEventListener("input", () => {
    for (const item of list.children) item.hidden = !item.dataset.name.includes(filter.value.trim().toLowerCase());
  });
}
