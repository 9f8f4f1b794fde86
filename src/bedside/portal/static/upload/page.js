// The page that sends: what was dropped or chosen becomes cards with progress; below, what became of it.

import { words } from "../portal.js";
import { fromDrop, fromInput, uploadsOf } from "./picking.js";
import { Sending } from "./sending.js";

const LOOK_MS = 2000;
const told = JSON.parse(document.getElementById("told").textContent);
const t = words();
const $ = (id) => document.getElementById(id);
const language = document.documentElement.lang;
const active = new Set();
let line = Promise.resolve();

$("drop").hidden = false;
$("choose-folder").addEventListener("click", () => $("folder").click());
$("choose-files").addEventListener("click", () => $("files").click());
for (const input of [$("folder"), $("files")]) {
  input.addEventListener("change", () => {
    const picked = fromInput(input);
    input.value = ""; // the same files again are a change too
    take(picked);
  });
}
for (const event of ["dragenter", "dragover"]) {
  document.addEventListener(event, (drag) => {
    if (!drag.dataTransfer?.types.includes("Files")) return;
    drag.preventDefault();
    $("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (drag) => { if (!drag.relatedTarget) $("drop").classList.remove("over"); });
document.addEventListener("drop", async (drop) => {
  $("drop").classList.remove("over");
  if (!drop.dataTransfer?.types.includes("Files")) return;
  drop.preventDefault();
  try {
    take(await fromDrop(drop.dataTransfer));
  } catch {
    say(t("changed"));
  }
});
addEventListener("beforeunload", (event) => { if ([...active].some((one) => one.moving)) event.preventDefault(); });

function take(picked) {
  const { uploads, leftOut } = uploadsOf(picked);
  const notes = leftOut ? [t("left_out", { count: leftOut })] : [];
  if (!uploads.length) notes.push(t("nothing"));
  for (const upload of uploads) {
    const [first, ...more] = upload.names;
    const name = more.length ? t("and_more", { name: first, count: more.length }) : first;
    if (upload.files.length > told.most_files) {
      notes.push(t("too_many", { count: number(upload.files.length), most: number(told.most_files) }));
    } else if ([...active].some((one) => one.moving && same(one.files, upload.files))) {
      notes.push(t("same"));
    } else {
      begin(new Sending({ told, name, files: upload.files, plain: upload.plain }));
    }
  }
  say(notes.join(" "));
}

function same(some, others) {
  const fact = ({ path, file }) => `${path}\n${file.size}\n${file.lastModified}`;
  return some.length === others.length && some.every((one, n) => fact(one) === fact(others[n]));
}

function begin(sending) {
  active.add(sending);
  $("sending").hidden = false;
  const card = cardOf(sending);
  $("active").append(card);
  // One after another: two at once would only be slower each.
  line = line.then(async () => {
    if (!sending.cancelled) await sending.run();
    await look();
    if (sending.state !== "failed") drop(sending, card);
  });
}

function drop(sending, card) {
  active.delete(sending);
  const held = card.contains(document.activeElement);
  card.remove();
  $("sending").hidden = !$("active").children.length;
  if (held) $("choose-folder").focus();
  look();
}

function cardOf(sending) {
  const make = (tag, values = {}, ...inside) => {
    const made = Object.assign(document.createElement(tag), values);
    made.append(...inside);
    return made;
  };
  const progress = make("progress", { max: 1, value: 0 });
  progress.setAttribute("aria-label", t("progress", { name: sending.name }));
  const text = make("span", { className: "words" });
  const button = (key, className, act) => {
    const made = make("button", { type: "button", className, textContent: t(key) });
    made.append(make("span", { className: "sr", textContent: ` ${sending.name}` }));
    made.addEventListener("click", act);
    return made;
  };
  const pause = button("pause", "second", () => sending.pause());
  const resume = button("resume", "", () => sending.resume());
  const cancel = button("cancel", "second", () => {
    if (confirm(t("cancel_sure", { name: sending.name }))) sending.cancel();
  });
  const close = button("dismiss", "second", () => drop(sending, card));
  const resumed = make("p", { className: "hint", hidden: true });
  const card = make(
    "li",
    { className: "card upload" },
    make("h3", { textContent: sending.name }),
    resumed,
    progress,
    make("div", { className: "sending-row" }, text, pause, resume, cancel, close),
  );
  const pace = new Pace();
  let announced = "";
  const show = () => {
    const { state } = sending;
    card.dataset.state = state;
    pace.note(sending.done);
    progress.value = sending.size ? sending.done / sending.size : 0;
    text.textContent = wordsOf(sending, pace);
    resumed.hidden = !sending.resumedFrom;
    resumed.textContent = t("resumed", { done: size(sending.resumedFrom), size: size(sending.size) });
    pause.hidden = !["sending", "retrying", "offline"].includes(state);
    resume.hidden = state !== "paused";
    cancel.hidden = !sending.moving || state === "joining";
    close.hidden = state !== "failed";
    if (state !== announced && state !== "sending") $("announced").textContent = `${sending.name}: ${text.textContent}`;
    announced = state;
  };
  sending.addEventListener("change", show);
  show();
  return card;
}

function wordsOf(sending, pace) {
  const sizes = { done: size(sending.done), size: size(sending.size) };
  const facts = { count: sending.retryInS, reason: sending.reason, size: sizes.size, most: size(told.most_bytes) };
  switch (sending.state) {
    case "sending": {
      const left = pace.leftS(sending.size - sending.done);
      return [t("sending", sizes), left && t("left", { time: span(left) })].filter(Boolean).join(" · ");
    }
    case "paused":
      return [t("paused"), sending.why ? t(sending.why) : t("sending", sizes)].join(" · ");
    case "failed":
      return t(sending.why || "failed", facts);
    default:
      return t(sending.state, facts);
  }
}

/** How fast bytes left lately. */
class Pace {
  constructor() {
    this.samples = [];
  }

  note(done) {
    const now = performance.now();
    if (this.samples.length && done < this.samples.at(-1)[1]) this.samples = [];
    this.samples.push([now, done]);
    while (this.samples.length > 2 && now - this.samples[0][0] > 15000) this.samples.shift();
  }

  /** Seconds until so many bytes left, or 0 while nobody can say. */
  leftS(bytes) {
    const [[from, first], [to, last]] = [this.samples[0], this.samples.at(-1)];
    return to - from > 2000 && last > first ? (bytes * (to - from)) / (last - first) / 1000 : 0;
  }
}

function number(value) {
  return value.toLocaleString(language);
}

function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const digits = power > 1 ? 1 : 0;
  return (bytes / 1000 ** power).toLocaleString(language, {
    style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: digits, minimumFractionDigits: digits,
  });
}

function span(seconds) {
  if (seconds < 90) return t("second", { count: Math.max(1, Math.round(seconds)) });
  return t("minute", { count: Math.round(seconds / 60) });
}

function say(text) {
  $("said").textContent = text;
  $("said").hidden = !text;
}

/** Ask what became of everything, and show it if it is another than before. */
async function look() {
  try {
    const answer = await fetch(told.list, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const html = await answer.text();
    if (html !== look.shown) {
      look.shown = html;
      const open = new Set([...document.querySelectorAll("#list details[open]")].map((one) => one.textContent));
      $("list").innerHTML = html; // made by our server, with everything in it escaped
      for (const details of document.querySelectorAll("#list details")) details.open = open.has(details.textContent);
      document.dispatchEvent(new CustomEvent("htmx:load", { detail: { elt: $("list") } }));
    }
  } catch {
    return; // no connection: the next look will tell
  }
  hideActive();
}

/** What this tab sends is shown above, and not twice. */
function hideActive() {
  const ids = new Set([...active].filter((one) => one.moving).map((one) => one.id));
  for (const item of document.querySelectorAll("#list li.upload")) {
    item.hidden = item.dataset.step === "sending" && ids.has(item.dataset.id);
  }
}

setInterval(() => {
  const moving = document.querySelector("#list :is([data-step=joining], [data-step=received], [data-step=reading])");
  if (moving && !document.hidden) look();
}, LOOK_MS);
