"use strict";
(function () {
  const toggle = document.getElementById("log-axis");
  toggle.addEventListener("click", function () {
    const log = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(log));
    Plotly.relayout("figure-equity", { "yaxis.type": log ? "log" : "linear", "yaxis.autorange": true });
  });
})();
