"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const $ = (query) => document.querySelector(query);
const make = (tag, text = "", attributes = {}) => {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const mean = (numbers) => numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : NaN;
const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b), n = sorted.length;
  return n ? (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2 : NaN;
};
const known = (number) => number !== undefined && !Number.isNaN(number);
const shown = (number, percent = false) => !known(number) ? "–" : percent ? (100 * number).toFixed(1) + "%" :
  !Number.isFinite(number) ? "failed" : number !== 0 && Math.abs(number) < 0.001 ? number.toExponential(1) : Math.abs(number) >= 1000 ? number.toFixed(0) : String(Number(number.toPrecision(3)));

// problems, each with the scores of its methods
const problems = D.problems.map(([table, mechanism, ratio]) => ({ table: D.tables[table], mechanism, ratio, runs: {} }));
for (const [i, method, run] of D.entries) problems[i].runs[method] = run;

const SIZES = { "under 500 rows": (t) => t.rows < 500, "500 to 5,000 rows": (t) => t.rows >= 500 && t.rows <= 5000, "over 5,000 rows": (t) => t.rows > 5000 };
const TYPES = { "numbers only": (t) => t.levels === 0, "levels only": (t) => t.numbers === 0, "mixed": (t) => t.levels > 0 && t.numbers > 0 };
const distinct = (key) => [...new Set(problems.map((p) => String(p[key])))].sort();
const FILTERS = {
  score: ["Score", D.scores.filter((s) => s.better).map((s) => [s.id, s.label])],
  mechanism: ["Mechanism", [["", "all"], ...distinct("mechanism").map((m) => [m, m])]],
  ratio: ["Missing rate", [["", "all"], ...distinct("ratio").map((r) => [r, shown(Number(r), true)])]],
  size: ["Size", [["", "all"], ...Object.keys(SIZES).map((s) => [s, s])]],
  type: ["Columns", [["", "all"], ...Object.keys(TYPES).map((s) => [s, s])]],
};
const chosen = { score: "", mechanism: "", ratio: "", size: "", type: "" };
for (const [key, [label, options]] of Object.entries(FILTERS)) {
  const select = make("select", "", { name: key });
  for (const [value, text] of options) select.append(make("option", text, { value }));
  const box = make("label", label);
  box.append(select);
  $("#filters").append(box);
  chosen[key] = select.value;
  select.addEventListener("change", () => { chosen[key] = select.value; show(); });
}
const kept = () => problems.filter((p) => (!chosen.mechanism || p.mechanism === chosen.mechanism) &&
  (!chosen.ratio || String(p.ratio) === chosen.ratio) && (!chosen.size || SIZES[chosen.size](p.table)) && (!chosen.type || TYPES[chosen.type](p.table)));

// losses of one problem by method, the lower the better; what failed loses
const lossesOf = (problem, score) => {
  const scored = {}, any = Object.values(problem.runs).some((run) => known(run[score.id]));
  for (const [method, run] of Object.entries(problem.runs)) {
    if (known(run[score.id])) scored[method] = -score.better * run[score.id];
    else if (any && typeof run === "string") scored[method] = Infinity;
  }
  return scored;
};
const ranksOf = (losses) => {
  const all = Object.values(losses), found = {};
  for (const [method, loss] of Object.entries(losses))
    found[method] = 1 + all.filter((other) => other < loss).length + (all.filter((other) => other === loss).length - 1) / 2;
  return found;
};
const meanOverTables = (pairs) => { // [table name, number]: tables weigh the same
  const tables = {};
  for (const [table, number] of pairs) if (known(number)) (tables[table] ??= []).push(number);
  return mean(Object.values(tables).map(mean));
};

function board(score) {
  const rows = {}, row = (method) => rows[method] ??= { method, rank: [], ratio: [], wins: 0, value: [], coverage: [], seconds: [], memory: [], n: 0 };
  for (const problem of kept()) {
    const losses = lossesOf(problem, score), ranks = ranksOf(losses), name = problem.table.name;
    const least = Math.min(...Object.values(losses)), best = Object.keys(losses).filter((m) => losses[m] === least);
    for (const method of Object.keys(losses)) {
      const into = row(method), run = problem.runs[method];
      into.n += 1;
      into.rank.push([name, ranks[method]]);
      if (best.includes(method)) into.wins += 1 / best.length;
      const others = Math.min(...Object.keys(losses).filter((m) => m !== method && m !== "oracle").map((m) => losses[m]));
      if (score.ratio && others > 0 && Number.isFinite(others) && Number.isFinite(losses[method])) into.ratio.push([name, losses[method] / others]);
      into.value.push([name, run[score.id]]);
      into.coverage.push([name, run.coverage]);
      if (known(run.seconds)) into.seconds.push(run.seconds);
      if (known(run.memory)) into.memory.push(run.memory);
    }
  }
  const fixed = D.statistics[score.id]?.[chosen.mechanism] ?? { elo: {}, groups: [], possible: {} };
  const letters = (method) => fixed.groups.map((group, i) => group.includes(method) ? String.fromCharCode(97 + i % 26) : "").join("");
  const scored = Object.keys(rows).filter((m) => rows[m].value.some(([, v]) => known(v)));
  return scored.map((method) => {
    const r = rows[method], rating = fixed.elo[method];
    return { method, rank: meanOverTables(r.rank), ratio: meanOverTables(r.ratio), wins: r.wins, value: meanOverTables(r.value), coverage: meanOverTables(r.coverage),
      seconds: median(r.seconds), memory: median(r.memory), elo: rating?.[0], interval: rating, possible: fixed.possible[method], letters: letters(method), n: r.n };
  });
}

function sortable(table, columns, rows, state, detail) {
  const sort = columns.find((column) => column.key === state.key) ?? columns[0];
  const number = (row) => sort.of(row), worst = state.down ? -Infinity : Infinity;
  rows.sort((a, b) => {
    let [x, y] = [number(a), number(b)];
    if (typeof x === "string") return (state.down ? -1 : 1) * x.localeCompare(y);
    [x, y] = [known(x) ? x : worst, known(y) ? y : worst];
    return x === y ? 0 : (state.down ? -1 : 1) * (x < y ? -1 : 1);
  });
  const head = make("tr");
  for (const column of columns) {
    const cell = make("th", "", { scope: "col", title: column.title ?? "" }), button = make("button", column.label);
    if (column.key === sort.key) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    button.addEventListener("click", () => { state.down = column.key === state.key ? !state.down : Boolean(column.down); state.key = column.key; show(); });
    cell.append(button);
    head.append(cell);
  }
  table.tHead.replaceChildren(head);
  const best = Object.fromEntries(columns.filter((c) => c.marked).map((c) => {
    const numbers = rows.map(c.of).filter((x) => known(x) && Number.isFinite(x));
    return [c.key, c.down ? Math.max(...numbers) : Math.min(...numbers)];
  }));
  table.tBodies[0].replaceChildren(...rows.flatMap((row) => {
    const line = make("tr");
    for (const column of columns) {
      const cell = make("td", "", column.marked && column.of(row) === best[column.key] ? { class: "best" } : {});
      const [text, small] = [].concat(column.text ? column.text(row) : shown(column.of(row), column.percent));
      if (detail && column === columns[0]) {
        const button = make("button", text, { "aria-expanded": String(state.open === row.name) });
        button.addEventListener("click", () => { state.open = state.open === row.name ? null : row.name; show(); });
        cell.append(button);
      } else cell.append(text);
      if (small) cell.append(" ", make("small", small));
      line.append(cell);
    }
    if (!detail || state.open !== row.name) return [line];
    const below = make("tr"), cell = make("td", "", { class: "detail", colspan: columns.length });
    cell.append(detail(row));
    below.append(cell);
    return [line, below];
  }));
}

const boardState = { key: "rank", down: false }, listState = { key: "name", down: false, open: null };
const labelled = (method) => D.methods[method] === method ? [method] : [D.methods[method], method];

function showBoard(score) {
  const rows = board(score), some = (key) => rows.some((row) => known(row[key]));
  const columns = [
    { key: "method", label: "method", of: (r) => r.method, text: (r) => labelled(r.method) },
    { key: "rank", label: "mean rank", of: (r) => r.rank, text: (r) => [r.rank.toFixed(2), r.letters], marked: true },
    { key: "elo", label: "Elo", of: (r) => r.elo, down: true, marked: true, text: (r) => r.interval ? [String(r.interval[0]), `${r.interval[1]} to ${r.interval[2]}`] : "–", title: "under this mechanism; sizes, types and rates together" },
    { key: "ratio", label: "ratio to best other", of: (r) => r.ratio, text: (r) => known(r.ratio) ? r.ratio.toFixed(3) : "–", marked: true },
    { key: "wins", label: "wins", of: (r) => r.wins, down: true, text: (r) => [String(Number(r.wins.toFixed(1))), `of ${r.n}`] },
    { key: "value", label: "mean", of: (r) => r.value, percent: score.percent, down: score.better > 0, title: score.label },
    { key: "possible", label: "of the possible", of: (r) => r.possible, percent: true, down: true, title: "0% column means, 100% the Bayes oracle" },
    { key: "coverage", label: "95% coverage", of: (r) => r.coverage, percent: true, down: true },
    { key: "seconds", label: "median seconds", of: (r) => r.seconds },
    { key: "memory", label: "median GB", of: (r) => r.memory },
  ];
  sortable($("#board"), columns.filter((c) => !["ratio", "possible", "coverage", "elo", "memory"].includes(c.key) || some(c.key)), rows, boardState);
  const p = D.statistics[score.id]?.[chosen.mechanism]?.p, n = new Set(kept().map((problem) => problem.table.name)).size;
  $("#said").textContent = rows.length ? `${rows.length} methods by ${score.label} on ${kept().length} problems of ${n} tables.` +
    (known(p) && p !== null ? ` That all are alike has p = ${p} (Friedman).` : "") : "No run matches these filters.";
  drawFront(rows.filter((row) => known(row.seconds)));
}

function drawFront(rows) {
  const svg = $("#front"), NS = "http://www.w3.org/2000/svg", width = svg.clientWidth;
  const [left, right, top, bottom] = [34, width - Math.min(130, width / 4), 20, 350], narrow = width < 500;
  const add = (tag, attributes, text) => {
    const made = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    svg.append(made);
    return made;
  };
  svg.replaceChildren();
  if (!rows.length) return;
  const logs = rows.map((r) => Math.log10(Math.max(r.seconds, 1e-3))), [low, high] = [Math.floor(Math.min(...logs)), Math.max(Math.ceil(Math.max(...logs)), Math.floor(Math.min(...logs)) + 1)];
  const worst = Math.max(...rows.map((r) => r.rank), 2), x = (r) => left + (right - left) * (Math.log10(Math.max(r.seconds, 1e-3)) - low) / (high - low);
  const y = (rank) => top + (bottom - top) * (rank - 1) / (worst - 1);
  for (let k = low; k <= high; k += narrow ? 2 : 1) {
    const at = left + (right - left) * (k - low) / (high - low);
    add("line", { x1: at, x2: at, y1: top, y2: bottom, stroke: "#dfe3e9" });
    add("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, `${10 ** k >= 1 ? 10 ** k : (10 ** k).toFixed(-k)} s`);
  }
  for (let rank = 1; rank <= worst; rank += Math.ceil(worst / 8)) add("text", { x: left - 10, y: y(rank) + 4, "text-anchor": "end" }, rank);
  add("text", { x: 0, y: bottom + 40 }, "Across: median seconds to fit and impute. Down: mean rank.");
  add("text", { x: 0, y: bottom + 58 }, "Filled: no method is both faster and better in rank.");
  const front = (r) => !rows.some((o) => o.seconds <= r.seconds && o.rank <= r.rank && (o.seconds < r.seconds || o.rank < r.rank));
  const line = rows.filter(front).sort((a, b) => a.seconds - b.seconds);
  add("polyline", { points: line.map((r) => `${x(r)},${y(r.rank)}`).join(" "), fill: "none", stroke: "#1660a8", "stroke-width": 1.5 });
  const taken = [];
  for (const r of [...rows].sort((a, b) => a.rank - b.rank)) {
    add("circle", { cx: x(r), cy: y(r.rank), r: 5, stroke: "#1660a8", fill: front(r) ? "#1660a8" : "#fff" }).append(Object.assign(document.createElementNS(NS, "title"), { textContent: `${D.methods[r.method]}: rank ${r.rank.toFixed(2)}, ${shown(r.seconds)} s` }));
    let height = y(r.rank) + 4;
    while (taken.some(([a, b]) => Math.abs(a - x(r)) < 110 && Math.abs(b - height) < 13)) height += 13;
    taken.push([x(r), height]);
    add("text", { x: x(r) + 9, y: height }, r.method);
  }
}

function detailOf(score) {
  return (row) => {
    const box = make("div", "", { class: "scroll" }), table = make("table"), head = make("tr"), body = make("tbody");
    const here = row.problems, names = [...new Set(here.flatMap((p) => Object.keys(p.runs)))];
    head.append(make("th", score.label), ...here.map((p) => make("th", `${p.mechanism} ${shown(p.ratio, true)}`)));
    const of = (p, method) => p.runs[method] === undefined ? undefined : typeof p.runs[method] === "string" ? p.runs[method] : p.runs[method][score.id];
    const order = (method) => mean(here.map((p) => ranksOf(lossesOf(p, score))[method]).filter(known));
    names.sort((a, b) => (order(a) || Infinity) - (order(b) || Infinity));
    for (const method of names) {
      const line = make("tr");
      line.append(make("td", D.methods[method], { title: method }));
      for (const p of here) {
        const value = of(p, method), losses = lossesOf(p, score), least = Math.min(...Object.values(losses));
        line.append(make("td", typeof value === "string" ? value : shown(value, score.percent), known(value) && losses[method] === least && Number.isFinite(least) ? { class: "best" } : {}));
      }
      body.append(line);
    }
    const thead = make("thead");
    thead.append(head);
    table.append(thead, body);
    box.append(table);
    return box;
  };
}

function showList(score) {
  const tables = {};
  for (const problem of kept()) (tables[problem.table.name] ??= { ...problem.table, problems: [] }).problems.push(problem);
  const rows = Object.values(tables).map((table) => {
    const ranks = {};
    for (const problem of table.problems) for (const [method, rank] of Object.entries(ranksOf(lossesOf(problem, score)))) if (method !== "oracle") (ranks[method] ??= []).push(rank);
    const [best] = Object.entries(ranks).sort(([, a], [, b]) => mean(a) - mean(b));
    return { ...table, best: best ? best[0] : "", value: best ? mean(table.problems.map((p) => p.runs[best[0]]?.[score.id]).filter(known)) : NaN };
  });
  const columns = [
    { key: "name", label: "table", of: (r) => r.name, text: (r) => r.name },
    { key: "rows", label: "rows", of: (r) => r.rows, down: true },
    { key: "numbers", label: "numbers", of: (r) => r.numbers, down: true },
    { key: "levels", label: "categories", of: (r) => r.levels, down: true },
    { key: "best", label: "best in rank", of: (r) => r.best, text: (r) => r.best || "–" },
    { key: "value", label: "its mean", of: (r) => r.value, percent: score.percent, title: score.label },
    { key: "n", label: "problems", of: (r) => r.problems.length, down: true },
  ];
  sortable($("#list"), columns, rows, listState, detailOf(score));
}

function show() {
  const score = D.scores.find((s) => s.id === chosen.score);
  if (!score) { $("#said").textContent = "There are no scores yet."; return; }
  showBoard(score);
  showList(score);
}
show();
addEventListener("resize", () => { if (D.scores.length) show(); });
