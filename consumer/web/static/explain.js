// One customer in words, asked from the same interface that programs use.

import { badge, byId, element } from "/page/parts.js";
import { ask } from "/page/access.js";
import { contributions } from "/page/drawings.js";

const REFUSED = {
  404: "Nobody of this id is known here: no event of theirs was read yet.",
  503: "The worker has no answer at the moment. Try again in a few seconds.",
};

export function list(items) {
  return element("ul", { class: "plain" }, ...items.map((item) => element("li", {}, item)));
}

function features(score) {
  const row = (name, value, added) => element("tr", {}, element("td", {}, name),
    element("td", { class: "number" }, value), element("td", { class: "number" }, (added >= 0 ? "+" : "−") + Math.abs(added).toFixed(3)));
  const rows = score.features.map((each) => row(each.feature, Number(each.value.toFixed(3)).toString(), each.contribution));
  if (score.other_features) rows.push(row("all others", "", score.other_features));
  return element("details", {}, element("summary", {}, "Feature by feature"),
    element("table", {}, element("caption", {}, "What each feature adds to the logit of the probability"),
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "feature"),
        element("th", { scope: "col", class: "number" }, "value"), element("th", { scope: "col", class: "number" }, "adds"))),
      element("tbody", {}, ...rows)));
}

function scored(score) {
  return element("section", {},
    element("div", { class: "score-line" }, element("h3", {}, score.campaign), badge(score.status)),
    element("p", {}, score.words), list(score.because),
    score.status === "warming" ? null : element("div", { class: "why" }, contributions(score)),
    element("p", { class: "hint" }, score.before),
    score.features.length ? features(score) : null);
}

function shown(customer) {
  const remembered = Object.entries(customer.remembered).map(([name, each]) => `${name}: ${each.value}`);
  const open = customer.open_examples.map((each) => `${each.campaign}: ${each.words}`);
  return element("div", { class: "explained" },
    element("p", { class: "who-line" }, element("strong", {}, customer.customer_id),
      ` · known since ${customer.known_since.slice(0, 10)} · as of ${customer.as_of.slice(0, 16).replace("T", " ")} UTC`),
    element("section", {}, element("h3", {}, "What we have seen"), list([...customer.seen, ...remembered])),
    ...customer.scores.map(scored),
    element("section", {}, element("h3", {}, `What we wait for (${customer.open_examples_count})`),
      open.length ? list(open.slice(0, 12)) : element("p", { class: "hint" }, "Nothing at the moment.")),
    element("p", { class: "hint" }, customer.caveat));
}

export async function explain(customer) {
  const place = byId("explained");
  byId("customer").value = customer;
  let answer;
  try {
    answer = await ask(`/v1/customers/${encodeURIComponent(customer)}/explain`);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    place.replaceChildren(element("p", { class: "none" }, "There is no connection to the worker."));
    return;
  }
  const told = await answer.json();
  if (answer.ok) {
    place.replaceChildren(shown(told));
  } else {
    const where = answer.status === 421 ? `Another worker has this customer${told.owner ? `: ${told.owner}` : ""} (partition ${told.partition}).` : null;
    place.replaceChildren(element("p", { class: "none" }, where ?? REFUSED[answer.status] ?? told.message));
  }
}
