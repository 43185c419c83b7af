// What is computed once for whom: the stem's runs of segments at one rate, and the branches where they leave it.
import { count, element, fraction, percent, rate, short } from "./dom.js";

export function showStems(box, stems, budget) {
  box.replaceChildren(...stems.map((stem) => panel(stem, budget)));
}

function panel(stem, budget) {
  const cost = `${percent(stem.plannedCost)} of the engine's time planned, ${percent(stem.measuredCost)} measured`;
  const view = stem.view === "full" ? "" : ` · ${stem.view}`;
  return element(
    "article",
    { class: "panel tree" },
    element("h3", {}, `${stem.stream}${view}`),
    element("p", { class: "quiet number" }, `${cost} · base DNN ${stem.baseDnn.slice(7, 19)} · ${count(stem.calls)} calls`),
    element("ul", {}, ...at(stem, 0, 0, budget)),
  );
}

// What hangs at a depth: branches, then the next run with what hangs at its end.
function at(stem, depth, place, budget) {
  const leaves = stem.apps.filter((app) => app.depth === depth).map(leaf);
  const run = stem.runs[place];
  if (!run) return leaves;
  const below = element("ul", {}, ...at(stem, run.depth, place + 1, budget));
  return [...leaves, element("li", {}, segments(run, budget), below)];
}

function segments(run, budget) {
  const fill = element("span");
  fill.style.width = `${Math.min(100, budget > 0 ? (100 * run.plannedCost) / budget : 0)}%`;
  return element(
    "div",
    { class: "run" },
    element("b", {}, `${run.from} → ${run.to}`),
    element("span", { class: "quiet number" }, `${rate(fraction(run.fps))} · ${percent(run.plannedCost)}`),
    element("div", { class: "bar", title: "share of the budget, planned" }, fill),
  );
}

function leaf(app) {
  const lost = Object.entries(app.dropped ?? {}).filter(([, number]) => number > 0);
  const figures = [
    `${app.measuredFps.toFixed(1)} of ${rate(app.plannedFps)}`,
    `F1 ${app.expectedF1.toFixed(2)}`,
    `${app.votes} ${app.votes === 1 ? "vote" : "votes"} at 0.${app.threshold}`,
    `${count(app.analysed)} looks, ${count(app.late)} late`,
    ...lost.map(([reason, number]) => `${count(number)} dropped: ${reason}`),
  ];
  const name = element("p", { class: "name", title: app.app }, short(app.app), " ", element("span", { class: "branch" }, `after ${app.branchpoint}`), " ");
  if (app.openEvent) name.append(element("span", { class: "tag" }, "event now"));
  return element("li", { class: "leaf" }, name, element("p", { class: "quiet number", title: "measured of planned rate; expected F1; votes and threshold" }, figures.join(" · ")));
}
