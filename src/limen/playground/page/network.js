// The grid of neurons: what each responds to, the weights between them, and the neuron that is open.

import { palette } from "./colours.js";
import { bytes, heat, overHistogram, profile } from "./draw.js";
import { facts, make } from "./make.js";

const columns = document.getElementById("columns");
const edges = document.getElementById("edges");
const MOST_ROWS = 8; // of neurons below one another
const MOST_OUTPUTS = 5; // below one another: they have names beneath
const FEW = 12; // neurons of a layer, up to which lines are drawn

/** The neurons of one model. `open(layer, neuron)` and `resize(column, by)` are what people ask. */
export class Network {
  constructor(built, open, resize) {
    this.built = built;
    this.tiles = new Map();
    const hidden = built.columns.length - 1;
    const parts = built.columns.map((column, k) => this.column(column, k, k === hidden, open, resize));
    columns.replaceChildren(this.inputs(), ...parts);
    this.weights = null;
  }

  /** What goes into the first layer. */
  inputs() {
    const { plane, features } = this.built;
    this.sources = [];
    const cells = make("div", { className: "cells" });
    cells.style.setProperty("--rows", plane ? 2 : 1);
    for (let k = 0; plane && k < 2; k++) {
      const box = make("div", { className: "input" }, make("canvas", {}));
      this.sources.push(box);
      cells.append(make("div", {}, box, make("div", { className: "tag" }, `x[${k}]`)));
    }
    if (!plane) cells.append(make("div", { className: "tag" }, `${features} pixels`));
    this.paintInputs();
    const name = make("div", { className: "name" }, "input", make("div", { className: "counts" }));
    return make("div", { className: "column" }, name, cells);
  }

  /** The two coordinates of the plane, each as what a neuron would answer that hands it on. */
  paintInputs() {
    const size = 24;
    this.sources.forEach((box, k) => {
      const values = Uint8Array.from({ length: size * size }, (_, at) => {
        const share = k ? 1 - Math.floor(at / size) / (size - 1) : (at % size) / (size - 1);
        return 1 + Math.round(share * 254);
      });
      heat(box.firstChild, values, size, size);
    });
  }

  column({ layer, width }, k, isLast, open, resize) {
    const cells = make("div", { className: "cells", role: "group" });
    cells.style.setProperty("--rows", Math.min(width, isLast ? MOST_OUTPUTS : MOST_ROWS));
    const title = isLast ? "output" : `layer ${layer}`;
    cells.setAttribute("aria-label", title);
    const tiles = [];
    for (let neuron = 0; neuron < width; neuron++) {
      const canvas = make("canvas", { width: 1, height: 1 });
      const tile = make("button", { type: "button", className: "neuron" }, canvas);
      tile.classList.toggle("pixels", !this.built.plane && k === 0);
      tile.setAttribute("aria-pressed", "false");
      tile.onclick = () => open(layer, neuron);
      tile.title = `${title}, neuron ${neuron}`;
      tiles.push({ tile, canvas, name: `${title}, neuron ${neuron}`, said: "" });
      cells.append(isLast ? make("div", {}, tile, make("div", { className: "tag" }, `class ${neuron}`)) : tile);
    }
    this.tiles.set(layer, tiles);
    const counts = make("div", { className: "counts" });
    if (!isLast) {
      const change = (by, sign) => {
        const word = by < 0 ? "Fewer" : "More";
        const button = make("button", { type: "button", className: "count" }, sign);
        button.setAttribute("aria-label", `${word} neurons in ${title}`);
        button.onclick = () => resize(k, by);
        return button;
      };
      counts.append(change(-1, "−"), make("span", {}, String(width)), change(1, "+"));
    }
    const column = make("div", { className: "column" }, make("div", { className: "name" }, title, counts), cells);
    column.dataset.layer = layer;
    return column;
  }

  /** Draws a frame: responses, the dead, the weights. Returns how many are dead. */
  show(frame) {
    let dead = 0;
    for (const { layer, width } of this.built.columns) {
      const responses = bytes(frame.maps[layer]), size = responses.length / width;
      const blocked = frame.blocked[layer];
      this.tiles.get(layer).forEach((entry, k) => {
        const part = responses.subarray(k * size, (k + 1) * size);
        this.respond(entry.canvas, part, layer);
        const isDead = Boolean(blocked && blocked[k] === 1);
        dead += isDead;
        entry.tile.classList.toggle("dead", isDead);
        const said = entry.name + (isDead ? ", dead: blocked on every training sample" : "");
        if (said !== entry.said) entry.tile.setAttribute("aria-label", (entry.said = said));
      });
    }
    this.weights = frame.weights;
    this.join();
    return dead;
  }

  respond(canvas, part, layer) {
    const side = Math.round(Math.sqrt(part.length));
    const isImage = this.built.plane || layer === this.built.columns[0].layer;
    if (isImage && side * side === part.length) heat(canvas, part, side, side);
    else profile(canvas, part);
  }

  /** Lines for weights: wide ones are large, their colour is their sign. */
  join() {
    const box = edges.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    edges.width = Math.round(box.width * ratio);
    edges.height = Math.round(box.height * ratio);
    const few = this.built.columns.every(({ width }) => width <= FEW);
    if (!this.weights || !few) return;
    const context = edges.getContext("2d"), { value, slope } = palette();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const side = (element, right) => {
      const at = element.getBoundingClientRect();
      return [(right ? at.right : at.left) - box.left, (at.top + at.bottom) / 2 - box.top];
    };
    let from = this.sources;
    this.built.columns.forEach(({ layer }, k) => {
      const to = this.tiles.get(layer).map(({ tile }) => tile), values = bytes(this.weights[k]);
      const starts = from.map((element) => side(element, true)), ends = to.map((element) => side(element, false));
      ends.forEach(([x1, y1], j) => starts.forEach(([x0, y0], i) => {
        const weight = (values[j * starts.length + i] - 128) / 127;
        if (Math.abs(weight) < 0.03) return;
        context.strokeStyle = weight < 0 ? slope : value;
        context.globalAlpha = 0.12 + 0.55 * Math.abs(weight);
        context.lineWidth = 0.4 + 2.6 * Math.abs(weight);
        context.beginPath();
        context.moveTo(x0, y0);
        context.bezierCurveTo((x0 + x1) / 2, y0, (x0 + x1) / 2, y1, x1, y1);
        context.stroke();
      }));
      from = to;
    });
  }

  /** Marks the layer whose numbers are shown, and the neuron that is open. */
  point(layer) {
    for (const column of columns.children) {
      column.classList.toggle("active", Number(column.dataset.layer) === layer);
    }
  }

  press(layer, neuron) {
    for (const [at, tiles] of this.tiles) {
      tiles.forEach(({ tile }, k) => tile.setAttribute("aria-pressed", String(at === layer && k === neuron)));
    }
  }
}

/** Shows one neuron in full. */
export function showNeuron(neuron, built) {
  const isOutput = neuron.layer === built.columns.at(-1).layer;
  const title = isOutput ? `Output of class ${neuron.neuron}` : `Layer ${neuron.layer}, neuron ${neuron.neuron}`;
  const heading = document.getElementById("neuron-title");
  if (heading.textContent !== title) heading.textContent = title;
  const map = document.getElementById("neuron-map"), caption = document.getElementById("neuron-map-caption");
  map.classList.remove("pixels");
  if (neuron.map) {
    heat(map, bytes(neuron.map), neuron.cells, neuron.cells);
    caption.textContent = "What it answers, all over the plane";
  } else {
    const isImage = neuron.weights.length === 64 && neuron.layer === built.columns[0].layer;
    const shown = isImage ? neuron.weights : neuron.by_class;
    const largest = Math.max(1e-12, ...shown.map((v) => Math.abs(v || 0)));
    const scaled = Uint8Array.from(shown, (v) => 128 + Math.round(((v || 0) / largest) * 127));
    if (isImage) heat(map, scaled, 8, 8);
    else profile(map, scaled);
    map.classList.toggle("pixels", isImage);
    caption.textContent = isImage ? "Its weights, a pixel each" : "Its mean answer to each class, 0 to 9";
  }
  overHistogram(document.getElementById("neuron-curve"), neuron.histogram, neuron.curve);
  const first = neuron.weights.slice(0, 8).join(", ");
  const more = neuron.weights.length > 8 ? `, and ${neuron.weights.length - 8} more` : "";
  const percent = neuron.blocked === undefined ? null : `${(100 * neuron.blocked).toFixed(1)} % of the train part`;
  facts(document.getElementById("neuron-facts"), [
    ["weights", first + more],
    ["bias", neuron.bias],
    ["threshold −b/|w|", neuron.threshold ?? "none"],
    ["answers from", `${neuron.low} to ${neuron.high}`],
    ["blocked on", percent],
    ["state", percent && (neuron.blocked === 1 ? "dead: no flow comes through" : "alive")],
    ["mean by class", neuron.by_class.join(", ")],
  ]);
}
