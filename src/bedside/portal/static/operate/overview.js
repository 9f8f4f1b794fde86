// The dashboard is fetched anew every few seconds: what somebody opened stays open, and nobody who looks
// elsewhere makes the server work.

let open = [];

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.id === "overview") event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", () => {
  open = [...document.querySelectorAll("#overview details[open]")].map((details) => details.id);
});

document.addEventListener("htmx:afterSwap", () => {
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
});
