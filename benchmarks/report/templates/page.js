"use strict";
// Sorting: every head of a column becomes a button. Without scripts the tables stay as they are.
(() => {
  const announcement = document.getElementById("announcement");

  function compare(first, second, numeric) {
    if (numeric) return first - second;
    return first.localeCompare(second, "en", { numeric: true });
  }

  function sort(table, column, direction) {
    const numeric = table.tHead.rows[0].cells[column].classList.contains("number");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, key: row.cells[column].dataset.sort }));
    const known = rows.filter(({ key }) => key !== "");
    const unknown = rows.filter(({ key }) => key === "");
    const values = known.map((entry) => ({ ...entry, value: numeric ? Number(entry.key) : entry.key }));
    values.sort((a, b) => direction * compare(a.value, b.value, numeric));
    // What is not known comes last, whichever way.
    body.append(...values.map(({ row }) => row), ...unknown.map(({ row }) => row));
  }

  function pressed(table, heading) {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    sort(table, heading.cellIndex, descending ? -1 : 1);
    announcement.textContent =
      `${table.caption.textContent}: sorted by ${heading.textContent}, ${heading.getAttribute("aria-sort")}`;
  }

  for (const table of document.querySelectorAll("table")) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => pressed(table, heading));
    }
  }
})();
