// What the site's pages do beyond showing themselves: each is whole without this. No request leaves the site's folder.
"use strict";

const wardbook = { held: {}, take(name, value) { this.held[name] = value; } };
const ROOT = document.currentScript.src.replace(/site\.js.*$/, "");
const byId = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// A page opened as a file may not fetch, but it may load a script: what is looked up is one, loaded on first use.
function load(name, src) {
  return wardbook.held[name] ??= new Promise((done, failed) => {
    const script = make("script", { src });
    script.onload = () => done(wardbook.held[name]);
    script.onerror = () => failed(new Error(`${src} is missing`));
    document.head.append(script);
  });
}

function make(tag, attributes = {}, ...children) {
  const drawn = "svg g path rect text line title".split(" ").includes(tag);
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

// Does this when the element comes near the screen or is reached by keyboard, once.
function onFirstUse(element, action) {
  const once = () => { seen.disconnect(); element.removeEventListener("focusin", once); action(); };
  const seen = new IntersectionObserver(entries => entries.some(entry => entry.isIntersecting) && once(), { rootMargin: "300px" });
  seen.observe(element);
  element.addEventListener("focusin", once);
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

const quoted = text => (/^[\w-]+$/.test(text) ? text : `'${text}'`);

function nearest(asked, names) {
  const parts = text => new Set([...text].map((letter, at) => text.slice(at, at + 2)));
  const wanted = parts(asked);
  const alike = name => [...parts(name)].filter(part => wanted.has(part)).length / Math.max(wanted.size, parts(name).size);
  return [...names].sort((a, b) => alike(b) - alike(a)).slice(0, 3);
}

// What the box has for a question: { sentence, … } or { refused, command }.
function answer(data, area, offence, from, to) {
  const command = `wardbook claim --borough ${quoted(area)} --offence ${quoted(offence)} --from ${quoted(from)} --to ${quoted(to)}`;
  const place = data.areas.indexOf(area), asked = offence.trim().replace(/\s+/g, " ").toLowerCase();
  const number = data.called[asked];
  if (place < 0) return { refused: `“${area}” is no area here.` };
  if (/stop.*search|searche?s?\b/.test(asked) && number === undefined)
    return { refused: "Stop and search is no offence: each area’s page has a section on it." };
  if (number === undefined)
    return { refused: `“${offence}” is not known. Nearest: ${nearest(asked, Object.keys(data.called)).join(", ")}.` };
  const row = data.rows[`${number} ${from} ${to}`], what = data.offences[number];
  if (typeof row === "string") return { refused: `${row}.` };
  if (!row) return { refused: "The box holds twelve months against the twelve before. This command answers for other periods:", command };
  const [before, after] = [row[0][place], row[1][place]];
  const rest = place ? (row[1][0] - after) / (row[0][0] - before) : null;
  const [, , before_words, after_words] = data.windows[what.series].find(([first, last]) => first === from && last === to);
  const facts = {
    area, item: what.said, before, after, before_words, after_words, change_percent: 100 * (after / before - 1),
    london_change_percent: 100 * (rest - 1), relative_percent: 100 * (after / before / rest - 1),
    as_far: row[3][place], of: row[4][place ? 1 : 0], why: row[5], crosses: row[6],
  };
  return { sentence: fill(data.patterns[row[2][place]], facts), facts, place, number, what, command, years: years(data, number, place, to) };
}

// The same months of each year that is held, oldest first.
function years(data, number, place, to) {
  const newest = data.history[number];
  if (newest.at(-1)[0] === to) return newest.map(([period, counts]) => [period, counts[place]]);
  const season = period => (period.startsWith("year") ? period.slice(-2) : "");
  const bars = new Map();
  for (const [first, last] of data.windows[data.offences[number].series]) {
    const row = data.rows[`${number} ${first} ${last}`];
    if (season(last) !== season(to) || typeof row === "string") continue;
    bars.set(first, row[0][place]);
    bars.set(last, row[1][place]);
  }
  return [...bars];
}

function barChart(bars, compared, title) {
  const width = innerWidth < 640 ? 330 : 640, height = 200, step = width / Math.max(bars.length, 6), most = Math.max(1, ...bars.map(bar => bar[1]));
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  bars.forEach(([period, count], at) => {
    const tall = (count / most) * 140, x = at * step, dark = compared.includes(period);
    svg.append(make("rect", { x: x + step * 0.1, y: 165 - tall, width: step * 0.8, height: tall, fill: dark ? "#12436D" : "#BFBFBF", "data-say": `${period}: ${written.count(count)}` }));
    const near = compared.some(other => Math.abs(bars.findIndex(bar => bar[0] === other) - at) * step < 90);
    const [edge, anchor] = at && at === bars.length - 1 && step < 60 ? [step, "end"] : at || step > 60 ? [step / 2, "middle"] : [0, "start"];
    const words = { "font-size": 13, fill: "#1d1d1b" };
    if (dark) svg.append(make("text", { ...words, x: x + step / 2, y: 159 - tall - (step < 45 && period === compared[1] ? 15 : 0), "text-anchor": "middle", "font-weight": "bold" }, written.count(count)));
    if (dark || (!near && (bars.length - at) % 3 === 0))
      svg.append(make("text", { ...words, x: x + edge, y: 182 + (period === compared[1] && step < 60 ? 15 : 0), "text-anchor": anchor }, period.replace("year ", "")));
  });
  return svg;
}

function show(section, data, found, question) {
  const box = section.querySelector(".answer");
  if (found.refused) {
    box.replaceChildren(make("p", {}, found.refused), ...(found.command ? [make("p", {}, make("code", {}, found.command))] : []));
    return;
  }
  const { facts, what, sentence } = found, title = `${capital(what.said)} in ${facts.area}`;
  const address = `${location.href.split("#")[0]}#ask/${question.map(encodeURIComponent).join("/")}`;
  const cited = `“${sentence}” Wardbook, edition ${data.edition}, from ${what.source}. ${address}`;
  const rows = found.years.map(([period, count]) => `${period},${count}`).join("\n");
  const chart = barChart(found.years, [question[2], question[3]], `${title} by year: ${sentence}`);
  const take = () => framed(`${title}, ${facts.before_words} and ${facts.after_words}`, sentence, chart, `Source: ${what.source}. Edition ${data.edition}.`);
  const name = `${facts.area} ${what.said} ${question[3]}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const compared = [["", facts.before_words, facts.after_words, "Change"],
    [facts.area, ...[facts.before, facts.after].map(written.count), facts.before ? written.signed(facts.change_percent, 1) : "–"]];
  const told = make("p", { class: "small", role: "status" });
  if (found.place) {
    const whole = data.rows[`${found.number} ${question[2]} ${question[3]}`], rest = [whole[0][0] - facts.before, whole[1][0] - facts.after];
    compared.push(["Rest of London", ...rest.map(written.count), rest[0] ? written.signed(facts.london_change_percent, 1) : "–"]);
  }
  box.replaceChildren(
    make("p", { class: "sentence" }, sentence),
    make("div", { class: "two" },
      make("table", {}, make("caption", {}, "Recorded offences"), ...compared.map((cells, line) => make("tr", {}, ...cells.map((cell, at) =>
        make(line && at ? "td" : cell ? "th" : "td", at ? { class: "n" } : {}, cell))))),
      make("div", { class: "plot" }, chart)),
    make("p", { class: "caveat" }, data.caveat),
    make("p", { class: "source" }, `Source: ${what.source}.`),
    make("p", { class: "links" },
      make("button", { type: "button", onclick: () => copy(cited, told) }, "Copy sentence with citation"), " ",
      make("a", { href: address, class: "here" }, "Link to this answer"), " ",
      ...takes(name, take), " ",
      make("button", { type: "button", onclick: () => save(`${name}.csv`, new Blob([`period,offences\n${rows}\n`], { type: "text/csv" })) }, "CSV")),
    told,
  );
  readable(box);
}

async function startBox(section) {
  const data = await load("answers", `${ROOT}answers.js`);
  const [where, offence, to, from] = ["area", "offence", "to", "from"].map(name => byId(`ask-${name}`));
  const series = () => data.offences[data.called[offence.value.trim().replace(/\s+/g, " ").toLowerCase()] ?? 0].series;
  const windows = () => [...data.windows[series() ?? "borough_offences"]].reverse();
  const yearBefore = () => { from.value = windows().find(window => window[1] === to.value)?.[0] ?? from.value; };
  const fillPeriods = () => {
    const [chosen, against] = [to.value, from.value], held = windows();
    to.replaceChildren(...options(held.map(window => [window[1], capital(window[3])])));
    from.replaceChildren(...options([...new Map(held.flatMap(window => [[window[1], capital(window[3])], [window[0], capital(window[2])]]))]));
    if (held.some(window => window[1] === chosen)) to.value = chosen;
    yearBefore();
    if (against && [...from.options].some(option => option.value === against) && against < to.value) from.value = against;
  };
  const ask = question => {
    show(section, data, answer(data, ...question), question);
    history.replaceState(null, "", `#ask/${question.map(encodeURIComponent).join("/")}`);
  };
  const fromAddress = () => {
    if (!location.hash.startsWith("#ask/")) return;
    const question = location.hash.slice(5).split("/").map(decodeURIComponent);
    [where.value, offence.value] = question;
    fillPeriods();
    [from.value, to.value] = question.slice(2);
    ask(question);
    section.scrollIntoView();
  };
  where.replaceChildren(...options(data.areas.map(name => [name, name])));
  where.value = section.dataset.area || data.areas[0];
  byId("ask-offences").replaceChildren(...options(Object.keys(data.called).map(name => [name, ""])));
  fillPeriods();
  to.addEventListener("change", yearBefore);
  offence.addEventListener("change", fillPeriods);
  section.querySelector("form").addEventListener("submit", event => {
    event.preventDefault();
    ask([where.value, offence.value || "crime", from.value, to.value]);
  });
  addEventListener("hashchange", fromAddress);
  fromAddress();
  section.dataset.ready = "yes";
}

// -- taking a chart along -------------------------------------------------------------------------------------------------

function lines(text, width) {
  const made = [""];
  for (const word of text.split(" ")) {
    if ((made.at(-1) + word).length > width) made.push("");
    made[made.length - 1] += (made.at(-1) && " ") + word;
  }
  return made;
}

// A drawing with its title, its sentence and its source, as one SVG.
function framed(title, sentence, drawing, source) {
  const [, , width, height] = drawing.getAttribute("viewBox").split(" ").map(Number);
  const svg = make("svg", { xmlns: SVG, "font-family": "Arial, Helvetica, sans-serif", role: "img" }, make("title", {}, `${title}. ${sentence}`));
  let y = 12;
  const write = (text, size, weight) => lines(text, (width - 24) / (size * 0.55)).forEach(line => {
    y += size * 1.35;
    svg.append(make("text", { x: 12, y, "font-size": size, "font-weight": weight, fill: "#1d1d1b" }, line));
  });
  write(title, 18, "bold");
  write(sentence, 14, "normal");
  const copied = drawing.cloneNode(true);
  for (const [name, value] of Object.entries({ x: 0, y: y + 14, width, height })) copied.setAttribute(name, value);
  y += height + 14;
  svg.append(copied);
  write(source, 11, "normal");
  for (const [name, value] of Object.entries({ width, height: y + 12, viewBox: `0 0 ${width} ${y + 12}` })) svg.setAttribute(name, value);
  svg.prepend(make("rect", { width: "100%", height: "100%", fill: "#fff" }));
  return svg;
}

function save(name, blob) {
  const href = URL.createObjectURL(blob);
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 5000);
}

function takes(name, drawing) {
  const text = () => new XMLSerializer().serializeToString(drawing());
  const png = async () => {
    const svg = drawing(), picture = new Image(), canvas = make("canvas");
    picture.src = `data:image/svg+xml,${encodeURIComponent(text())}`;
    await picture.decode();
    [canvas.width, canvas.height] = ["width", "height"].map(side => 2 * svg.getAttribute(side));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    canvas.toBlob(blob => save(`${name}.png`, blob));
  };
  return [make("button", { type: "button", onclick: () => save(`${name}.svg`, new Blob([text()], { type: "image/svg+xml" })) }, "SVG"), " ",
    make("button", { type: "button", onclick: png }, "PNG")];
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
    if (!marks.length || plot.tabIndex === 0) continue;
    let at = -1;
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", "Chart: arrow keys read its numbers");
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
  offence.replaceChildren(...options(data.groups.map(([group, words], at) => [at, words])));
  year.replaceChildren(...options(data.years.map((words, at) => [at, capital(words)]).reverse()));
  offence.value = data.groups.findIndex(([group]) => group.startsWith("total"));
  const draw = () => {
    const [, words] = data.groups[offence.value], counts = data.counts[offence.value];
    const rows = data.wards.map(([ward, residents], at) => {
      const count = counts[at][year.value];
      return { ward, at, count, history: counts[at], rate: 1000 * count / residents, ends: data.limits[count].map(end => 1000 * end / residents) };
    });
    const ranked = [...rows].sort((a, b) => b.rate - a.rate), shown = rate => fixed(rate, rate < 10 ? 1 : 0);
    const cuts = [0.75, 0.5, 0.25].map(share => ranked[Math.floor((1 - share) * (ranked.length - 1))].rate).sort((a, b) => a - b);
    const shade = rate => SHADES[cuts.filter(cut => rate > cut).length];
    const map = make("svg", { viewBox: `-2 -2 604 ${data.shapes.height + 4}`, role: "img", "aria-label": `Schematic ward map: ${words} for each 1,000 residents; the table beside it has each ward` });
    for (const row of rows)
      map.append(make("path", { d: data.shapes.paths[row.at], fill: shade(row.rate), stroke: "#fff", "stroke-width": 2, "data-say": `${row.ward}: ${shown(row.rate)} for each 1,000 residents, ${written.count(row.count)} offences` }));
    const key = make("p", { class: "small key" }, "For each 1,000 residents: ", ...SHADES.flatMap((colour, at) => [
      make("span", { style: `background:${colour}` }), ` ${at ? `over ${shown(cuts[at - 1])}` : `up to ${shown(cuts[0])}`} `]));
    const line = history => {
      const most = Math.max(1, ...history);
      return make("svg", { viewBox: "0 0 96 20", width: 96, height: 20, role: "img", "aria-label": data.years.map((name, at) => `${name}: ${history[at]}`).join(", ") },
        ...history.map((count, at) => make("rect", { x: at * 6, y: 20 - 20 * count / most, width: 5, height: 20 * count / most, fill: at === Number(year.value) ? "#12436D" : "#BFBFBF" })));
    };
    const heads = ["Ward", "Offences", "For each 1,000 residents", "95% interval", `${data.years[0]} to ${data.years.at(-1)}`];
    const table = make("table", {}, make("caption", {}, `${words}, ${data.years[year.value]}, by ward`),
      make("thead", {}, make("tr", {}, ...heads.map((head, at) => make("th", { scope: "col", ...(at && at < 4 ? { class: "n" } : {}) }, head)))),
      make("tbody", {}, ...ranked.map(row => make("tr", {}, make("th", { scope: "row" }, row.ward), make("td", { class: "n" }, written.count(row.count)),
        make("td", { class: "n" }, shown(row.rate)), make("td", { class: "n" }, `${shown(row.ends[0])} to ${shown(row.ends[1])}`), make("td", {}, line(row.history))))));
    section.querySelector(".answer").replaceChildren(
      make("div", { class: "two" }, make("div", { class: "plot" }, map), make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of wards" }, table)), key,
      make("p", { class: "caveat" }, "Many who are victims live elsewhere: where many work, shop or go out, a rate for each resident is high for that alone."),
      make("p", { class: "small" }, data.breaks.filter(([month]) => month > "2020").map(([, what]) => `${what}.`).join(" ")),
      make("p", { class: "source" }, `Schematic: a cell is what lies nearest to a ward’s middle, no boundary. Residents are those of Census 2021. Source: ${data.source}.`));
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
  const drawing = () => framed(text(".permalink"), text(".subtitle"), article.querySelector(".plot.page svg"), text(".source"));
  part.append(...takes(part.dataset.name, drawing), " ");
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
