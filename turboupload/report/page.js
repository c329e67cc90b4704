"use strict";
const table = document.getElementById("read-sets");
const body = table.tBodies[0];
const search = document.getElementById("search");
const outcome = document.getElementById("outcome");
const count = document.getElementById("count");
const all = document.getElementById("all");
const few = Number(table.dataset.few);
const collator = new Intl.Collator("en", { numeric: true });
let limit = few;
let rows = Array.from(body.rows, (row) => ({
  row, text: row.textContent.toLowerCase(), outcome: row.cells[3].textContent,
}));

// A browser takes seconds to lay thousands of rows out: so many are shown only when asked for.
function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const each of rows) {
    const fits = (!outcome.value || each.outcome === outcome.value) &&
      words.every((word) => each.text.includes(word));
    found += fits;
    each.row.hidden = !fits || found > limit;
  }
  const shown = Math.min(found, limit);
  all.hidden = shown === found;
  const [a, b, c] = [shown, found, rows.length].map((each) => each.toLocaleString("en"));
  count.value = `${b} of ${c} found${shown < found ? `, the first ${a} shown` : ""}`;
}

function showAll() {
  limit = Infinity;
  show();
}

function sort(heading) {
  const index = heading.cellIndex;
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const each of heading.parentNode.cells) each.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const keyed = rows.map((each) => {
    const cell = each.row.cells[index];
    return { each, key: cell.dataset.v ?? cell.textContent };
  });
  keyed.sort((a, b) => collator.compare(a.key, b.key) * (down ? -1 : 1));
  rows = keyed.map(({ each }) => each);
  body.replaceChildren(...rows.map(({ row }) => row));
  show();
}

function change() {
  limit = few;
  show();
}

for (const heading of table.tHead.rows[0].cells) {
  heading.firstElementChild.addEventListener("click", () => sort(heading));
}
search.form.addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", change);
outcome.addEventListener("change", change);
all.addEventListener("click", showAll);
window.addEventListener("beforeprint", showAll);
show();
