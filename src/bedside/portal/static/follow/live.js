// Keeps what a page says of jobs as it is now, by the tenant's stream of events; without it a reload does the same.
// Times are told as "3 minutes ago" in the page's language. Screen readers hear of ends, not of progress.
import { words } from "../portal.js";

const language = document.documentElement.lang;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const absolute = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const LONG_AGO = 7 * 86400;
const ENDED = new Set(["succeeded", "rejected", "dead", "cancelled"]);
const AGAIN_MS = 15_000;

function tellTimes(root) {
  for (const time of root.querySelectorAll("time.ago[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const seconds = (at - Date.now()) / 1000;
    const [unit, size] = STEPS.find(([, s]) => Math.abs(seconds) >= s) ?? ["second", 1];
    const many = Math.round(seconds / size);
    const long = time.closest("[data-for]");
    if (long && seconds <= 0) {
      const amount = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(-many);
      long.firstChild.textContent = long.dataset.for;
      time.textContent = amount;
    } else {
      time.textContent = Math.abs(seconds) < LONG_AGO ? relative.format(many, unit) : day.format(at);
    }
    time.title = absolute.format(at);
  }
}

function watch(place) {
  const say = words();
  const said = document.getElementById("said");
  const news = document.getElementById("news");
  const shown = new Set(place.dataset.jobs.split(" ").filter(Boolean));
  const address = new URL(place.dataset.events, location.href);
  address.searchParams.set("shown", "true");
  address.searchParams.set("after", place.dataset.after);
  for (const id of shown) address.searchParams.append("job", id);
  const stream = new EventSource(address);

  stream.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    for (const part of document.querySelectorAll(`[data-job="${CSS.escape(job.id)}"]`)) {
      const before = part.dataset.state;
      part.innerHTML = job.html; // made by our own server, which escapes what it puts in
      part.dataset.state = job.state;
      tellTimes(part);
      if (before !== job.state && ENDED.has(job.state)) {
        said.textContent = say("follow.live_state", { id: job.id.slice(0, 8), state: part.querySelector(".tag").textContent });
        // What may be done now and what it wrote stands elsewhere on the page.
        news.hidden = false;
      }
    }
  });
  stream.addEventListener("arrival", () => (news.hidden = false));
  stream.addEventListener("reload", () => (news.hidden = false));
  stream.addEventListener("end", () => {
    stream.close();
    news.textContent = say("follow.live_ended");
    news.hidden = false;
  });
  // A page in the back-forward cache must not hold a stream open.
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

tellTimes(document);
setInterval(() => tellTimes(document), AGAIN_MS);
const place = document.getElementById("watch");
if (place && "EventSource" in window) watch(place);
