// A click on a column's head sorts its table: numbers by value, words by letter.
document$.subscribe(() => {
  for (const head of document.querySelectorAll("article table thead th")) {
    head.style.cursor = "pointer";
    head.title = "sort";
    head.onclick = () => {
      const table = head.closest("table"), body = table.tBodies[0];
      const at = [...head.parentNode.children].indexOf(head);
      const down = head.dataset.down !== "yes";
      head.dataset.down = down ? "yes" : "";
      const number = (row) => parseFloat(row.cells[at].innerText.replace(/,/g, ""));
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [number(a), number(b)];
        if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
        const order = isNaN(x) ? a.cells[at].innerText.localeCompare(b.cells[at].innerText) : x - y;
        return down ? order : -order;
      });
      body.append(...rows);
    };
  }
});
