// Trying rules on a file: only its beginning is sent, without its name, which may be a patient's; the
// verdicts take the place of those before, and the page stays where it is.

import { csrf } from "../portal.js";

//: Longer than any header but those of thousands of frames.
const HEAD_BYTES = 16 * 1024 * 1024;

const form = document.getElementById("try-form");
const tried = document.getElementById("tried");

form.addEventListener("submit", async (event) => {
  if (event.submitter?.hasAttribute("formaction")) return; // a replay has a page of its own
  event.preventDefault();
  const body = new FormData(form);
  const file = form.elements.file.files[0];
  body.delete("file");
  if (file) body.set("file", file.slice(0, HEAD_BYTES), "instance");
  const button = document.getElementById("try-button");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "X-CSRF-Token": csrf() } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("tried") ?? page.getElementById("main");
    tried.replaceChildren(...found.childNodes);
    tried.focus();
    tried.scrollIntoView();
  } finally {
    button.disabled = false;
  }
});

// A file that is dropped anywhere on its card is chosen.
const card = document.getElementById("file").closest("section");
card.addEventListener("dragover", (event) => event.preventDefault());
card.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) form.elements.file.files = event.dataTransfer.files;
});
