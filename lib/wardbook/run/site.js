// What the site's pages do beyond showing themselves: each is whole without this. No request leaves the site's folder.
"use strict";

const wardbook = { held: {}, take(name, value) { this.held[name] = value; } };
const ROOT = document.currentScript.src.replace(/site\.js.*$/, "");
const byId = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// A page opened as a file may not fetch, but it may load a script: what is looked up is one, loaded on first use.
function load(name, src) {
  return wardbook.held[name] ??= new Promise((done, failed) => {
    const script = make("script", { src, onload: () => done(wardbook.held[name]), onerror: () => failed(new Error(`${src} is missing`)) });
    document.head.append(script);
  });
}

function make(tag, attributes = {}, ...children) {
  const drawn = "svg path rect text title".split(" ").includes(tag);
  const element = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const options = pairs => pairs.map(([value, words]) => make("option", { value }, words));
const capital = text => text.charAt(0).toUpperCase() + text.slice(1);
const button = (words, onclick) => make("button", { type: "button", onclick }, words);

// Does this when the element comes near the screen or is reached by keyboard, once.
function onFirstUse(element, action) {
  const once = () => { seen.disconnect(); element.removeEventListener("focusin", once); action(); };
  const seen = new IntersectionObserver(entries => entries.some(entry => entry.isIntersecting) && once(), { rootMargin: "300px" });
  seen.observe(element);
  element.addEventListener("focusin", once);
}

// A table with a heading a column and, at the beginning of each row, one of it; columns from `text` on are words again.
function table(caption, heads, rows, text = heads.length) {
  const side = at => (at && at < text ? { class: "n" } : {});
  return make("table", {}, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...heads.map((head, at) => make(head ? "th" : "td", head ? { scope: "col", ...side(at) } : {}, head)))),
    make("tbody", {}, ...rows.map(row => make("tr", {}, ...row.map((cell, at) => make(at ? "td" : "th", at ? side(at) : { scope: "row" }, cell))))));
}

// -- numbers, as wardbook.figures.wording writes them ---------------------------------------------------------------------

function fixed(value, digits) {
  // toFixed sends an exact half up, Python to the even digit: with one digit, halves that a double holds end in .25 and .75.
  const halved = digits === 1 && (value * 4) % 4 === 1 ? value - 0.01 : value;
  return Number(halved.toFixed(digits)).toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
const written = {
  count: value => value.toLocaleString("en-GB", { maximumFractionDigits: 0 }),
  percent: (value, digits) => fixed(Math.abs(Number(value.toPrecision(8))), Number(digits)) + "%",
  signed: (value, digits) => {
    const text = written.percent(value, digits);
    return /[1-9]/.test(text) ? (value > 0 ? "+" : "−") + text : text;
  },
  capital,
  text: value => String(value),
};
const fill = (pattern, facts) => pattern.replace(/\{(\w+)(?:\|(\w+))?(?:\|(\w+))?\}/g,
  (place, name, how = "text", digits) => written[how](facts[name], digits));

// -- the claim box --------------------------------------------------------------------------------------------------------

const quoted = text => (/^[\w-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function nearest(asked, names) {
  const parts = text => new Set([...text].map((letter, at) => text.slice(at, at + 2)));
  const wanted = parts(asked);
  const alike = name => [...parts(name)].filter(part => wanted.has(part)).length / Math.max(wanted.size, parts(name).size);
  return [...names].sort((a, b) => alike(b) - alike(a)).slice(0, 3);
}

// What the box has for a question: { sentence, … } or { refused, command }.
function answer(data, area, offence, from, to) {
  const place = data.areas.indexOf(area), asked = offence.trim().replace(/\s+/g, " ").toLowerCase();
  const number = Object.hasOwn(data.called, asked) ? data.called[asked] : undefined;
  if (place < 0) return { refused: `“${area}” is no area here.` };
  if (/stop.*search|searche?s?\b/.test(asked) && number === undefined)
    return { refused: "Stop and search is no offence: each area’s page has a section on it." };
  if (number === undefined)
    return { refused: `“${offence}” is not known. Nearest: ${nearest(asked, Object.keys(data.called)).join(", ")}.` };
  const row = data.rows[`${number} ${from} ${to}`];
  if (typeof row === "string") return { refused: `${row}.` };
  const command = `wardbook claim --borough ${quoted(area)} --offence ${quoted(offence)} --from ${quoted(from)} --to ${quoted(to)}`;
  if (!row) return { refused: "The box holds twelve months against the twelve before. This command answers for other periods:", command };
  const [before, after] = [row[0][place], row[1][place]];
  const rest = [row[0][0] - before, row[1][0] - after], london = place ? rest[1] / rest[0] : null;
  const facts = {
    area, item: data.offences[number].said, before, after, before_words: data.words[from], after_words: data.words[to],
    change_percent: 100 * (after / before - 1), london_change_percent: 100 * (london - 1), relative_percent: 100 * (after / before / london - 1),
    as_far: row[3][place], of: row[4][place ? 1 : 0], why: row[5], crosses: row[6],
  };
  const bars = years(data, number, place, to), { source } = data.offences[number];
  return { sentence: fill(data.patterns[row[2][place]], facts), facts, source, rest: place ? rest : null, bars };
}

// The same months of each year that is held, oldest first.
function years(data, number, place, to) {
  const season = period => (period.startsWith("year") ? period.slice(-2) : "03"), bars = new Map();
  for (const pair of data.pairs.filter(([, last]) => season(last) === season(to))) {
    const row = data.rows[`${number} ${pair.join(" ")}`];
    if (Array.isArray(row)) pair.forEach((period, side) => bars.set(period, row[side][place]));
  }
  return [...bars];
}

// The first year and the two compared are labelled; every bar says its own number.
function barChart(bars, compared, words, title) {
  const short = period => words[period].replace(/^year (to \w{3})\w*/, "$1");
  const width = innerWidth < 640 ? 330 : 640, step = width / Math.max(bars.length, 6), most = Math.max(1, ...bars.map(bar => bar[1]));
  const svg = make("svg", { viewBox: `0 0 ${width} 200`, role: "img", "aria-label": title, "font-size": 13 });
  bars.forEach(([period, count], at) => {
    const tall = 130 * count / most, dark = compared.includes(period), lower = period === compared[1] && step < 75 ? 15 : 0;
    svg.append(make("rect", { x: (at + 0.1) * step, y: 165 - tall, width: step * 0.8, height: tall, fill: dark ? "#12436D" : "#BFBFBF", "data-say": `${capital(words[period])}: ${written.count(count)}` }));
    if (at && !dark) return;
    const [x, anchor] = !at ? [step * 0.1, "start"] : at >= bars.length - (step < 30 ? 2 : 1) ? [(at + 0.9) * step, "end"] : [(at + 0.5) * step, "middle"];
    svg.append(make("text", { x, y: 159 - tall - lower, "text-anchor": anchor, "font-weight": dark ? "bold" : "normal" }, written.count(count)),
      make("text", { x, y: 180 + lower, "text-anchor": anchor }, short(period)));
  });
  return svg;
}

function show(section, data, found, question) {
  const box = section.querySelector(".answer"), { refused, command, facts, sentence, source, rest, bars } = found;
  if (refused) {
    box.replaceChildren(make("p", {}, refused), ...(command ? [make("p", {}, make("code", {}, command))] : []));
    return;
  }
  const title = `${capital(facts.item)} in ${facts.area}`, told = make("p", { class: "small", role: "status" });
  const address = `${location.href.split("#")[0]}#ask/${question.map(encodeURIComponent).join("/")}`;
  const cited = `“${sentence}” Wardbook, edition ${data.edition}, from ${source}. ${address}`;
  const chart = barChart(bars, question.slice(2), data.words, `${title} by year: ${sentence}`);
  const take = () => framed(`${title}, ${facts.before_words} and ${facts.after_words}`, sentence, chart, `Source: ${source}. Edition ${data.edition}.`);
  const name = `${facts.area} ${facts.item} ${question[3]}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const csv = `period,offences\n${bars.map(bar => `${bar.join(",")}\n`).join("")}`;
  const row = (words, [before, after], change) => [words, written.count(before), written.count(after), before ? written.signed(change, 1) : "–"];
  const rows = [row(facts.area, [facts.before, facts.after], facts.change_percent)];
  if (rest) rows.push(row("Rest of London", rest, facts.london_change_percent));
  box.replaceChildren(
    make("p", { class: "sentence" }, sentence),
    make("div", { class: "two" },
      table("Recorded offences", ["", facts.before_words, facts.after_words, "Change"], rows), make("div", { class: "plot" }, chart)),
    make("p", { class: "caveat" }, data.caveat),
    make("p", { class: "source" }, `Source: ${source}.`),
    make("p", { class: "links" },
      button("Copy sentence with citation", () => copy(cited, told)), " ", make("a", { href: address }, "Link to this answer"), " ",
      ...takes(name, take), button("CSV", () => save(`${name}.csv`, csv, "text/csv"))),
    told,
  );
  readable(box);
}

async function startBox(section) {
  const data = await load("answers", `${ROOT}answers.js`);
  const [where, offence, to, from] = ["area", "offence", "to", "from"].map(name => byId(`ask-${name}`));
  const periods = which => options([...new Set(data.pairs.flatMap(which))].reverse().map(period => [period, capital(data.words[period])]));
  const yearBefore = () => { from.value = data.pairs.find(pair => pair[1] === to.value)[0]; };
  const ask = question => {
    show(section, data, answer(data, ...question), question);
    history.replaceState(null, "", `#ask/${question.map(encodeURIComponent).join("/")}`);
  };
  const fromAddress = () => {
    if (!location.hash.startsWith("#ask/")) return;
    let question = [];
    try {
      question = location.hash.slice(5).split("/").map(decodeURIComponent);
    } catch {}  // a link that was cut short
    if (question.length !== 4) return;
    [where.value, offence.value, from.value, to.value] = question;
    ask(question);
    section.scrollIntoView();
  };
  where.replaceChildren(...options(data.areas.map(name => [name, name])));
  where.value = section.dataset.area || data.areas[0];
  byId("ask-offences").replaceChildren(...options(Object.keys(data.called).map(name => [name, ""])));
  to.replaceChildren(...periods(pair => pair[1]));
  from.replaceChildren(...periods(pair => pair));
  yearBefore();
  to.addEventListener("change", yearBefore);
  section.querySelector("form").addEventListener("submit", event => {
    event.preventDefault();
    ask([where.value, offence.value || "crime", from.value, to.value]);
  });
  addEventListener("hashchange", fromAddress);
  fromAddress();
  section.dataset.ready = "yes";
}

// -- taking a chart along -------------------------------------------------------------------------------------------------

// A drawing with its title, its sentence and its source, as one SVG.
function framed(title, sentence, drawing, source) {
  const [, , width, height] = drawing.getAttribute("viewBox").split(" ").map(Number), parts = [];
  let y = 12;
  const write = (text, size, weight = "normal") => {
    for (const line of text.match(new RegExp(`\\S.{0,${Math.floor((width - 24) / (size * 0.55))}}(?=\\s|$)`, "g"))) {
      y += size * 1.35;
      parts.push(make("text", { x: 12, y, "font-size": size, "font-weight": weight, fill: "#1d1d1b" }, line));
    }
  };
  write(title, 18, "bold");
  write(sentence, 14);
  const copied = drawing.cloneNode(true);
  for (const [name, value] of Object.entries({ x: 0, y: y + 14, width, height })) copied.setAttribute(name, value);
  y += height + 14;
  write(source, 11);
  return make("svg", { xmlns: SVG, width, height: y + 12, viewBox: `0 0 ${width} ${y + 12}`, "font-family": "Arial, Helvetica, sans-serif", role: "img" },
    make("title", {}, `${title}. ${sentence}`), make("rect", { width: "100%", height: "100%", fill: "#fff" }), ...parts, copied);
}

function save(name, content, type) {
  const href = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 5000);
}

function takes(name, drawing) {
  const text = () => new XMLSerializer().serializeToString(drawing());
  const png = async () => {
    const picture = new Image(), canvas = make("canvas");
    picture.src = `data:image/svg+xml,${encodeURIComponent(text())}`;
    await picture.decode();
    [canvas.width, canvas.height] = [2 * picture.width, 2 * picture.height];
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob(blob => save(`${name}.png`, blob, "image/png"));
  };
  return [button("SVG", () => save(`${name}.svg`, text(), "image/svg+xml")), " ", button("PNG", png), " "];
}

async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    told.textContent = "Copied.";
  } catch {  // a browser that does not let a page copy: the text to copy by hand
    told.textContent = text;
  }
}

// -- marks say their numbers ----------------------------------------------------------------------------------------------

const bubble = make("div", { class: "bubble", role: "status", hidden: "" });

function tell(mark) {
  document.querySelectorAll(".told").forEach(other => other.classList.remove("told"));
  bubble.hidden = !mark;
  if (!mark) return;
  mark.classList.add("told");
  bubble.textContent = mark.dataset.say;
  const at = mark.getBoundingClientRect(), own = bubble.getBoundingClientRect();
  bubble.style.left = `${Math.max(4, Math.min(at.left + at.width / 2 - own.width / 2, innerWidth - own.width - 4))}px`;
  bubble.style.top = `${at.top > own.height + 12 ? at.top - own.height - 8 : at.bottom + 8}px`;
}

// One stop of the Tab key a chart; arrows go from mark to mark.
function readable(part) {
  for (const plot of part.querySelectorAll(".plot")) {
    const marks = [...plot.querySelectorAll("[data-say]")];
    if (!marks.length) continue;
    let at = -1;
    for (const [name, value] of Object.entries({ tabindex: 0, role: "group", "aria-label": "Chart: arrow keys read its numbers" })) plot.setAttribute(name, value);
    plot.addEventListener("keydown", event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") tell(null);
      if (!step) return;
      event.preventDefault();
      at = (at + step + marks.length) % marks.length;
      tell(marks[at]);
    });
    plot.addEventListener("blur", () => tell(null));
  }
}

// -- ward by ward ---------------------------------------------------------------------------------------------------------

const SHADES = ["#DCE3EA", "#6BACE6", "#2073BC", "#12436D"];

async function startWards(section) {
  const data = await load("wards", "./wards.js"), [offence, year] = [byId("ward-offence"), byId("ward-year")];
  offence.replaceChildren(...options(data.groups.map((words, at) => [at, words])));
  year.replaceChildren(...options(data.years.map((words, at) => [at, capital(words)]).reverse()));
  offence.value = data.groups.indexOf(data.total);
  const bars = history => make("svg", { viewBox: "0 0 96 20", width: 96, height: 20, role: "img", "aria-label": data.years.map((name, at) => `${name}: ${history[at]}`).join(", ") },
    ...history.map((count, at) => {
      const height = 20 * count / Math.max(1, ...history);
      return make("rect", { x: at * 6, y: 20 - height, width: 5, height, fill: at === Number(year.value) ? "#12436D" : "#BFBFBF" });
    }));
  const draw = () => {
    const words = data.groups[offence.value], shown = rate => fixed(rate, rate < 10 ? 1 : 0);
    const ranked = data.wards.map(([ward, residents], at) => {
      const history = data.counts[offence.value][at], count = history[year.value];
      return { ward, at, count, history, rate: 1000 * count / residents, ends: data.limits[count].map(end => 1000 * end / residents) };
    }).sort((a, b) => b.rate - a.rate);
    const cuts = [0.75, 0.5, 0.25].map(share => ranked[Math.floor((1 - share) * (ranked.length - 1))].rate).sort((a, b) => a - b);
    const map = make("svg", { viewBox: `-2 -2 604 ${data.shapes.height + 4}`, role: "img", "aria-label": `Schematic ward map: ${words} for each 1,000 residents; the table beside it has each ward` },
      ...ranked.map(row => make("path", {
        d: data.shapes.paths[row.at], fill: SHADES[cuts.filter(cut => row.rate > cut).length], stroke: "#fff", "stroke-width": 2,
        "data-say": `${row.ward}: ${shown(row.rate)} for each 1,000 residents, ${written.count(row.count)} offences` })));
    const key = make("p", { class: "small key" }, "For each 1,000 residents: ", ...SHADES.flatMap((colour, at) => [
      make("span", { style: `background:${colour}` }), ` ${at ? `over ${shown(cuts[at - 1])}` : `up to ${shown(cuts[0])}`} `]));
    const listed = table(`${words}, ${data.years[year.value]}, by ward`,
      ["Ward", "Offences", "For each 1,000 residents", "95% interval", `${data.years[0]} to ${data.years.at(-1)}`],
      ranked.map(row => [row.ward, written.count(row.count), shown(row.rate), row.ends.map(shown).join(" to "), bars(row.history)]), 4);
    section.querySelector(".answer").replaceChildren(
      make("div", { class: "two" }, make("div", { class: "plot" }, map), make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of wards" }, listed)), key,
      make("p", { class: "small" }, data.breaks));
    readable(section);
  };
  offence.addEventListener("change", draw);
  year.addEventListener("change", draw);
  draw();
}

// -- begin ----------------------------------------------------------------------------------------------------------------

document.body.append(bubble);
document.addEventListener("pointerover", event => tell(event.target.closest("[data-say]")));
document.addEventListener("scroll", () => tell(null), { passive: true });
readable(document);
for (const part of document.querySelectorAll(".ask, .wards, .switch, #find")) part.hidden = false;
for (const part of document.querySelectorAll(".ask"))
  location.hash.startsWith("#ask/") ? startBox(part) : onFirstUse(part, () => startBox(part));
for (const part of document.querySelectorAll(".wards")) onFirstUse(part, () => startWards(part));
for (const part of document.querySelectorAll(".made[data-name]")) {
  const article = part.closest("article"), text = name => article.querySelector(name).textContent;
  part.append(...takes(part.dataset.name, () => framed(text(".permalink"), text(".subtitle"), article.querySelector(".plot.page svg"), text(".source"))));
}
byId("switch")?.addEventListener("change", event => { location.href = event.target.value; });
byId("find")?.addEventListener("submit", event => {
  event.preventDefault();
  document.querySelector("tr[data-find]:not([hidden]) a")?.click();
});
byId("find-box")?.addEventListener("input", event => {
  const asked = event.target.value.trim().toLowerCase(), rows = [...document.querySelectorAll("tr[data-find]")];
  for (const row of rows) row.hidden = !row.dataset.find.includes(asked);
  byId("matches").textContent = asked ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
});
