// What every page does besides what the server made of it: times in the browser's own zone.

const zoned = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]:not(.ago)")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) time.textContent = zoned.format(at);
  }
}

localise(document);
document.addEventListener("htmx:load", (event) => localise(event.detail.elt));

/** Texts that a page handed over for its scripts, by key: <script type="application/json" id="words">. */
export function words() {
  const texts = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
  return (key, values = {}) =>
    (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The token that a change must carry, so that no other site can make it. */
export function csrf() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRF-Token"] ?? "";
}
