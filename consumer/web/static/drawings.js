// Small charts of a campaign, as SVG. Each says in words what it shows.

import { element, percent } from "/page/parts.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDE = 320, HIGH = 176, LEFT = 38, RIGHT = 8, TOP = 14, BOTTOM = 36;
const across = WIDE - LEFT - RIGHT, up = HIGH - TOP - BOTTOM;

function shape(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function canvas(label) {
  return shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label });
}

function frame(svg, top, name, below) {
  for (const share of [0, 0.5, 1]) {
    const y = TOP + up * (1 - share);
    svg.append(shape("line", { x1: LEFT, x2: WIDE - RIGHT, y1: y, y2: y, class: share ? "line" : "axis" }),
      shape("text", { x: LEFT - 5, y: y + 3.5, "text-anchor": "end" }, name(top * share)));
  }
  if (below) svg.append(shape("text", { x: LEFT + across / 2, y: HIGH - 3, "text-anchor": "middle" }, below));
}

function figure(title, svg, words) {
  return element("figure", {}, element("figcaption", {}, element("h4", {}, title)), svg, element("p", {}, words));
}

export function histogram(held) {
  const total = held.counts.reduce((sum, each) => sum + each, 0);
  const shares = held.counts.map((each) => each / total);
  const edges = [0, ...held.bounds, 1];
  const words = shares.map((share, place) => [share, place]).sort((a, b) => b[0] - a[0])[0];
  const svg = canvas(`Share of scores by probability: most are from ${percent(edges[words[1]])} to ${percent(edges[words[1] + 1])}`);
  const top = Math.max(...shares);
  const step = across / shares.length;
  frame(svg, top, percent, "predicted probability");
  shares.forEach((share, place) => {
    const tall = up * share / top;
    svg.append(shape("rect", { x: LEFT + step * place + 1, y: TOP + up - tall, width: step - 2, height: tall, rx: 2, class: "bar" }));
    if (place % 4 === 0) {
      svg.append(shape("text", { x: LEFT + step * place, y: HIGH - 22, "text-anchor": "middle" }, percent(edges[place]).replace(" ", "")));
    }
  });
  return figure("How high the scores are", svg,
    `Most are from ${percent(edges[words[1]])} to ${percent(edges[words[1] + 1])}.`);
}

export function reliability(points) {
  const most = Math.max(0.001, ...points.flatMap((point) => [point.predicted, point.rate])) * 1.08;
  const svg = canvas("What was predicted beside what came; on the dashed line both are equal");
  const at = (point) => [LEFT + across * point.predicted / most, TOP + up * (1 - point.rate / most)];
  frame(svg, most, percent, "predicted");
  svg.append(shape("line", { x1: LEFT, y1: TOP + up, x2: LEFT + across, y2: TOP, class: "ideal" }));
  svg.append(shape("polyline", { points: points.map((point) => at(point).join(",")).join(" "), class: "curve" }));
  for (const point of points) {
    const [cx, cy] = at(point);
    svg.append(shape("circle", { cx, cy, r: 3.5, class: "dot" }));
  }
  return figure("Does it come true?", svg, "Of customers with the same score, how many converted. Near the dashed line is right.");
}

export function deciles(tenths, isValue) {
  const rates = tenths.map((tenth) => tenth.actual / tenth.rows);
  const all = tenths.reduce((sum, tenth) => sum + tenth.actual, 0);
  const rows = tenths.reduce((sum, tenth) => sum + tenth.rows, 0);
  const mean = rows ? all / rows : 0;
  const name = isValue ? (rate) => rate.toFixed(rate < 10 ? 1 : 0) : percent;
  const best = mean > 0 ? rates[0] / mean : 0;
  const words = mean > 0
    ? `The highest tenth of scores ${isValue ? "brings" : "converts"} ${best.toFixed(1)} times as ${isValue ? "much" : "often"} as the average (${name(mean)}).`
    : "No conversion yet.";
  const svg = canvas(words);
  const top = Math.max(1e-9, mean, ...rates) * 1.05;
  const step = across / 10;
  frame(svg, top, name, "tenths of customers, highest scores first");
  rates.forEach((rate, place) => {
    const tall = Math.max(0, up * rate / top);
    svg.append(shape("rect", { x: LEFT + step * place + 2, y: TOP + up - tall, width: step - 4, height: tall, rx: 2, class: place ? "bar-soft" : "bar" }),
      shape("text", { x: LEFT + step * (place + 0.5), y: HIGH - 22, "text-anchor": "middle" }, place + 1));
  });
  const y = TOP + up * (1 - mean / top);
  svg.append(shape("line", { x1: LEFT, x2: WIDE - RIGHT, y1: y, y2: y, class: "ideal" }),
    shape("text", { x: WIDE - RIGHT, y: y - 4, "text-anchor": "end" }, "average"));
  return figure(isValue ? "What each tenth brings" : "Who converts", svg, words);
}

export function contributions(score) {
  const parts = [...score.reasons.map((each) => [each.source, each.contribution]), ["all others", score.other_reasons]];
  const top = Math.max(0.1, ...parts.map((part) => Math.abs(part[1])));
  const row = 22, middle = 210, reach = 84;
  const told = parts.map(([name, added]) => `${name} ${added >= 0 ? "raises" : "lowers"} it by ${Math.abs(added).toFixed(2)}`);
  const svg = shape("svg", { viewBox: `0 0 ${WIDE + 20} ${row * parts.length + 4}`, role: "img", "aria-label": told.join("; ") });
  svg.append(shape("line", { x1: middle, x2: middle, y1: 0, y2: row * parts.length, class: "axis" }));
  parts.forEach(([name, added], place) => {
    const y = row * place, long = Math.max(1, reach * Math.abs(added) / top), raises = added >= 0;
    svg.append(
      shape("text", { x: 0, y: y + 15, class: "strong" }, name.length > 18 ? `${name.slice(0, 17)}…` : name),
      shape("rect", { x: raises ? middle : middle - long, y: y + 5, width: long, height: row - 9, rx: 2, class: raises ? "bar" : "bar-soft" }),
      shape("text", { x: raises ? middle + long + 5 : middle - long - 5, y: y + 15, "text-anchor": raises ? "start" : "end" }, (raises ? "+" : "−") + Math.abs(added).toFixed(2)));
  });
  return svg;
}
