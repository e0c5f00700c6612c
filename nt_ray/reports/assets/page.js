"use strict";
(function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const config = { responsive: true, displayModeBar: false };
  for (const [name, figure] of Object.entries(figures)) {
    Plotly.newPlot("figure-" + name, figure.data, figure.layout, config);
  }

  function value(row, column) {
    const shown = row.cells[column].textContent.trim();
    const digits = Number(shown.replace(/−/g, "-").replace(/[,%\s]/g, ""));
    return shown === "–" ? -Infinity : Number.isNaN(digits) ? shown : digits;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      head.addEventListener("click", function () {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = Array.from(table.tBodies[0].rows);
        rows.sort(function (a, b) {
          const x = value(a, column), y = value(b, column);
          const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
})();
