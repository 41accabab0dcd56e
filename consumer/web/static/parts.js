// Elements and numbers as people read them. Texts become text nodes, never markup.

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const NOTHING = "–";

export function count(number) {
  if (number === null || number === undefined) return NOTHING;
  if (number >= 1e6) return `${(number / 1e6).toFixed(number >= 1e7 ? 0 : 1)} M`;
  if (number >= 1e4) return `${(number / 1e3).toFixed(number >= 1e5 ? 0 : 1)} k`;
  return Math.round(number).toLocaleString("en");
}

export function percent(share) {
  if (share === null || share === undefined) return NOTHING;
  const hundred = 100 * share;
  if (hundred >= 10) return `${hundred.toFixed(0)} %`;
  return hundred >= 1 ? `${hundred.toFixed(1)} %` : `${Number(hundred.toPrecision(2))} %`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 0.9995) return `${Number((seconds * 1000).toPrecision(2))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${count(seconds / 86400)} days`;
}

export function moment(milliseconds) {
  if (!milliseconds) return NOTHING;
  return new Date(milliseconds).toLocaleString("en-GB", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
  });
}

export const STATUS = {
  ready: ["✓", "ready", "Scores can be relied on."],
  warming: ["◔", "warming up", "Too few outcomes are known yet: everybody gets the campaign's own rate."],
  unreliable: ["!", "unreliable", "Scores are no better than the average, or too high or too low: do not act on them."],
  paused: ["‖", "paused", "No conversions are heard of any more, so nothing is learned: look at where they are reported."],
  catching_up: ["»", "catching up", "It reads what has happened before."],
};

export function badge(status) {
  const [sign, word, meaning] = STATUS[status] ?? ["?", status, ""];
  return element("span", { class: "badge", "data-state": status, title: meaning },
    element("span", { "aria-hidden": "true" }, `${sign} `), word);
}
