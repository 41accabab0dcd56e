// The page: what the worker tells, put where it belongs.

import { byId, element, count, percent, duration, moment, badge, NOTHING, STATUS } from "/page/parts.js";
import { Charts } from "/page/charts.js";
import { histogram, reliability, deciles } from "/page/drawings.js";
import { explain, list } from "/page/explain.js";
import { follow, keepToken } from "/page/access.js";

const charts = new Charts(byId("chart-events"), byId("chart-latency"));
const drawn = new Map(); // What stands there already, so that only changes are drawn.

function changed(name, value) {
  const now = JSON.stringify(value);
  if (drawn.get(name) === now) return false;
  drawn.set(name, now);
  return true;
}

function put(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text;
}

function state(kind, sign, text) {
  if (!changed("state", [kind, text])) return;
  byId("state").dataset.state = kind;
  byId("state").querySelector(".sign").textContent = sign;
  put("state-text", text);
}

function figures(picture, point) {
  put("f-customers", count(picture.totals.customers));
  put("f-customers-note", `${count(picture.totals.open_examples)} outcomes awaited`);
  if (!point) return;
  put("f-scored", count(point.scored));
  put("f-scored-note", `events per second, ${count(picture.totals.scored)} since the start`);
  put("f-latency", duration(point.latency_p50_s));
  put("f-latency-note", point.latency_p99_s === null ? "from event to score" : `99 of 100 within ${duration(point.latency_p99_s)}`);
  put("f-fresh", point.freshness_s === null ? NOTHING : point.freshness_s < 60 ? "live" : duration(point.freshness_s));
  put("f-fresh-note", `${point.freshness_s >= 60 ? "behind: " : ""}newest event ${moment(picture.clock_ms)} UTC`);
  put("f-waiting", count(point.waiting));
}

function facts(campaign) {
  const { figures: held } = campaign;
  const known = [];
  const fact = (number, words) => known.push(element("li", {}, element("b", {}, number), " ", element("span", {}, words)));
  fact(count(campaign.learned), "outcomes learned from");
  if (held.lift_10 !== null) fact(`${held.lift_10.toFixed(1)}×`, "the average, for the highest tenth");
  if (held.normalised_entropy !== null) fact(percent(Math.max(0, 1 - held.normalised_entropy)), "better than knowing the average only");
  if (held.predicted_to_actual !== null) fact(held.predicted_to_actual.toFixed(2), "predicted for each one that came (1 is right)");
  if (held.auc !== null) fact(percent(held.auc), "of pairs in the right order");
  return element("ul", { class: "facts" }, ...known);
}

function campaignPanel(campaign) {
  const plots = [];
  if (campaign.histogram) plots.push(histogram(campaign.histogram));
  const curves = campaign.curves;
  if (curves?.reliability?.length) plots.push(reliability(curves.reliability));
  if (curves?.deciles?.length) plots.push(deciles(curves.deciles, campaign.predict === "value"));
  const learner = campaign.learner && campaign.learner !== "champion" ? ` · served by ${campaign.learner}` : "";
  return element("article", { class: "panel campaign" },
    element("header", {}, element("h3", {}, campaign.name), element("p", {}, `${campaign.goal}${learner}`), badge(campaign.status)),
    campaign.status === "ready" ? null : element("p", { class: "hint" }, STATUS[campaign.status]?.[2] ?? ""),
    facts(campaign),
    campaign.uplift ? element("p", {}, campaign.uplift) : null,
    plots.length ? element("div", { class: "plots" }, ...plots) : null,
    curves?.deciles?.length ? element("p", { class: "hint" }, "Figures are of the last 7 days, curves of the last 28, of scores as they were served.") : null);
}

function campaigns(all) {
  const place = byId("campaigns");
  all.forEach((campaign, index) => {
    if (!changed(`campaign ${index}`, campaign)) return;
    const panel = campaignPanel(campaign);
    if (place.children[index]) place.children[index].replaceWith(panel);
    else place.append(panel);
  });
}

function recentItem(score, key) {
  const big = score.expected_value === null ? percent(score.probability) : score.expected_value.toFixed(2);
  const where = score.percentile === null ? NOTHING : `${score.band} · ${Math.round(score.percentile)} of 100`;
  const link = element("button", { class: "link", type: "button", "aria-label": `Explain ${score.customer}` }, score.customer);
  link.addEventListener("click", () => open(score.customer));
  return element("li", { "data-key": key },
    element("div", {}, element("p", { class: "big" }, big), element("p", { class: "where" }, score.status === "ready" ? where : STATUS[score.status]?.[1] ?? score.status)),
    element("div", {}, element("p", { class: "head" }, link, ` · ${score.campaign}`), element("p", { class: "said" }, score.because.join("; "))));
}

// What stands there stays where it is: somebody may be about to click it.
function recent(scores) {
  byId("recent-none").hidden = scores.length > 0;
  if (!changed("recent", scores)) return;
  const place = byId("recent");
  const items = new Map(scores.map((score) => [`${score.customer} ${score.as_of} ${score.campaign}`, score]));
  for (const item of [...place.children]) {
    if (!items.has(item.dataset.key)) item.remove();
  }
  let next = place.firstElementChild;
  for (const [key, score] of items) {
    if (next?.dataset.key === key) next = next.nextElementSibling;
    else place.insertBefore(recentItem(score, key), next);
  }
}

function letters(held) {
  byId("letters").hidden = held.total === 0;
  if (held.total === 0 || !changed("letters", held)) return;
  put("letters-hint", `${count(held.total)} records since the start, kept as dead letters. Others are not held up by them.`);
  const kinds = element("table", {}, element("caption", {}, "How many, and what was wrong"),
    element("thead", {}, element("tr", {}, ...["field", "found when", "records"].map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...held.by.map((each) => element("tr", {}, element("td", {}, each.field), element("td", {}, each.stage), element("td", { class: "number" }, count(each.count))))));
  const last = element("table", {}, element("caption", {}, "The last ones"),
    element("thead", {}, element("tr", {}, ...["where", "why"].map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...held.recent.slice(0, 8).map((each) => element("tr", {},
      element("td", {}, `${each.topic}[${each.partition}] at ${each.offset}`), element("td", {}, each.message)))));
  byId("letters").replaceChildren(kinds, ...(held.recent.length ? [last] : []));
}

function triggers(held) {
  byId("triggers-section").hidden = held.length === 0;
  if (!changed("triggers", held)) return;
  byId("triggers").replaceChildren(...held.map((each) => element("li", {},
    element("p", { class: "big" }, each.kind), element("div", {}, element("p", { class: "head" }, `${each.customer} · ${each.campaign}`), list(each.because ?? [])))));
}

function told(picture) {
  document.body.classList.remove("stale");
  byId("notice").hidden = true;
  const worker = picture.worker;
  if (!worker) return;
  put("who", worker.instance ? `${worker.instance} · group ${worker.group}` : "");
  if (worker.says === "ok") state("good", "●", "scoring");
  else state(worker.says.startsWith("waits") ? "wait" : "bad", "…", worker.says);
  if (!picture.campaigns) return;
  charts.add(picture.points);
  figures(picture, picture.points.at(-1));
  campaigns(picture.campaigns);
  recent(picture.recent);
  letters(picture.letters);
  triggers(picture.triggers);
  put("foot", `propensity ${worker.version} · read only · times are UTC`);
}

function open(customer) {
  explain(customer).then(() => byId("explain-title").scrollIntoView({ block: "nearest" }));
}

function refused(status, message) {
  state("bad", "×", status === 401 ? "a token is needed" : "not shown");
  byId("token-form").hidden = status !== 401;
  byId("notice").hidden = status === 401;
  put("notice", message);
}

function start() {
  byId("token-form").hidden = true;
  follow("/stream", {
    told,
    refused,
    lost: () => {
      document.body.classList.add("stale");
      state("bad", "×", "no connection, trying again");
    },
  });
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(byId("token").value);
  start();
});
byId("explain-form").addEventListener("submit", (event) => {
  event.preventDefault();
  open(byId("customer").value.trim());
});
start();
