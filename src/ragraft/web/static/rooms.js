// Around htmx: where the focus goes when more rows have come, and what happens where none could.
let before = 0;

const rows = () => document.querySelectorAll("#rows > .row");

document.addEventListener("htmx:beforeSwap", () => (before = rows().length));
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.requestConfig?.elt.id === "further") rows()[before]?.querySelector("a, summary")?.focus();
});
// As if the link had been followed without htmx: the server's own page says what is wrong, or asks for the key.
document.addEventListener("htmx:responseError", (event) => location.assign(event.detail.pathInfo.requestPath));
document.addEventListener("htmx:sendError", (event) => location.assign(event.detail.pathInfo.requestPath));
document.getElementById("leave")?.addEventListener("submit", () => sessionStorage.clear());
