// One sample's way forward and back: a stage at a time, its formula and its numbers.

import { make } from "./make.js";

const byId = (id) => document.getElementById(id);
const [back, next, list, shown, paper] = ["back", "next", "stages", "stage", "paper"].map(byId);

/** The way of one sample; `point(layer)` marks the layer that a stage is about. */
export class Walk {
  constructor(point) {
    this.point = point;
    this.sample = null;
    this.at = 0;
    back.onclick = () => this.go(this.at - 1);
    next.onclick = () => this.go(this.at + 1);
  }

  /** Takes a sample's numbers; stays at the stage it was at. */
  take(sample) {
    const isNew = !this.sample || this.sample.stages.length !== sample.stages.length;
    this.sample = sample;
    const right = sample.taken === sample.class ? "rightly" : "wrongly";
    byId("sample-about").textContent =
      `Sample ${sample.index} of ${sample.of}, class ${sample.class}, ${right} taken for ${sample.taken}, ` +
      `after ${sample.steps.toLocaleString("en")} steps`;
    byId("sample-index").value = sample.index;
    byId("sample-index").max = sample.of - 1;
    list.replaceChildren(...sample.stages.map((stage, k) => {
      const arrow = { forward: "▸", loss: "●", backward: "◂" }[stage.way];
      const name = stage.way === "loss" ? "loss" : stage.layer;
      const button = make("button", { type: "button" }, `${arrow} ${name}`);
      button.setAttribute("aria-label", `${stage.way}: ${stage.title}`);
      button.onclick = () => this.go(k);
      return make("li", {}, button);
    }));
    paper.hidden = false;
    paper.querySelector("pre").textContent = sample.paper;
    this.go(isNew ? 0 : this.at);
  }

  /** Nothing to show: the model is another. */
  clear() {
    this.sample = null;
    list.replaceChildren();
    shown.replaceChildren(make("p", {}, "Follow a sample: choose one, or a mark in the decision regions."));
    byId("sample-about").textContent = "";
    paper.hidden = back.disabled = next.disabled = true;
    this.point(-1);
  }

  go(at) {
    if (!this.sample) return;
    const { stages } = this.sample;
    this.at = Math.max(0, Math.min(stages.length - 1, at));
    back.disabled = this.at === 0;
    next.disabled = this.at === stages.length - 1;
    const stage = stages[this.at];
    [...list.children].forEach((item, k) => {
      if (k === this.at) item.firstChild.setAttribute("aria-current", "step");
      else item.firstChild.removeAttribute("aria-current");
    });
    const way = { forward: "Forward", loss: "Turning point", backward: "Backward" }[stage.way];
    shown.replaceChildren(
      make("h3", {}, `${way}. ${stage.title}`),
      make("p", { className: "code" }, stage.formula),
      ...stage.tables.flatMap(table),
    );
    this.point(stage.layer);
  }
}

/** A number, which comes with five digits; a small one without its row of zeros. */
function said(number) {
  if (number === null) return "not finite";
  return number !== 0 && Math.abs(number) < 1e-3 ? number.toExponential() : String(number);
}

function table({ names, rows, marked, about }) {
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));
  const body = rows.map((row, k) => {
    const cells = row.map((number) => make("td", {}, said(number)));
    if (marked[k]) cells.push(make("td", {}, "blocked: the flow ends here"));
    return make("tr", { className: marked[k] ? "marked" : "" }, ...cells);
  });
  const box = make("div", { className: "table", tabIndex: 0, role: "region" },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
  box.setAttribute("aria-label", about || "Numbers of this step");
  return about ? [make("p", {}, about), box] : [box];
}
