// The function: what people type, its curve, what is known of it, and what is wrong with it.

import * as draw from "./draw.js";
import { facts, make } from "./make.js";

const byId = (id) => document.getElementById(id);
const [formula, parameters, curve, error] = ["formula", "parameters", "curve", "error"].map(byId);
const EXAMPLES = ["relu", "tanh", "gelu", "silu", "x * tanh(softplus(x))", "sin(x)", "x + sin(x)**2", "heaviside"];
const TYPING = 250; // milliseconds of rest before a formula is sent
const STRIDE = 10; // points of the curve, of an arrow key

/** `send(request)` asks the server; `take(formula, parameters)` is told of a function that is ready. */
export class Formula {
  constructor(send, take) {
    Object.assign(this, { send, take, number: 0, typing: 0, curve: null, points: new Map(), rows: [], at: null });
    for (const field of [formula, parameters]) {
      field.oninput = () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.explore(), TYPING);
      };
    }
    byId("examples").append(...EXAMPLES.map((text) => {
      const button = make("button", { type: "button", className: "code" }, text);
      button.onclick = () => { formula.value = text; this.explore(); };
      return button;
    }));
    curve.onpointermove = ({ offsetX }) => this.point(offsetX);
    curve.onpointerleave = () => this.read(null);
    curve.onkeydown = (event) => this.press(event);
  }

  /** Asks what is to be known of what stands in the fields. */
  explore() {
    clearTimeout(this.typing);
    this.number += 1;
    pale(true);
    this.send({ do: "explore", formula: formula.value, parameters: parameters.value, number: this.number });
  }

  // --- Answers, of which the latest count; the rest are of what stood there before ---------------

  begin(message) {
    if (message.number !== this.number) return;
    if (message.wrong !== null) {
      this.complain(message.wrong, message.text, message.column);
      return;
    }
    error.hidden = true;
    formula.setAttribute("aria-invalid", "false");
    pale(false);
    byId("about").textContent = message.about;
    this.points.clear();
    const values = Object.entries(message.parameters).map(([name, value]) => `${name} = ${value}`);
    const prime = message.gated ? `df/d${message.by}` : "f′(x)";
    this.rows = [
      [message.gated ? "f" : "f(x)", message.formula], [prime, message.derivative],
      ["parameters", values.join(", ")],
      ["gated", message.gated ? "the curve is along the gate, its value held at 1" : ""],
    ];
    facts(byId("properties"), this.rows);
  }

  /** What is wrong, and the formula with a caret under the column where the trouble starts. */
  complain(wrong, text = null, column = null) {
    error.hidden = false;
    formula.setAttribute("aria-invalid", "true");
    if (text === null || column === null) {
      error.replaceChildren(wrong);
      return;
    }
    const caret = `${text.replace(/\s/g, " ")}\n${" ".repeat(column)}^`;
    error.replaceChildren(`${wrong} (column ${column + 1})`, make("code", {}, caret));
  }

  draw(message) {
    if (message.number !== this.number) return;
    this.curve = message;
    this.read(null);
  }

  add({ number, name, text, points }) {
    if (number !== this.number) return;
    this.rows.push([name, text]);
    facts(byId("properties"), this.rows);
    this.points.set(name, points);
    this.redraw();
  }

  /** All is known, and the kernels are there: the model takes the function. */
  end({ number }) {
    if (number === this.number) this.take(formula.value, parameters.value);
  }

  // --- The curve, and reading it -----------------------------------------------------------------

  redraw() {
    if (!this.curve) return;
    draw.curve(curve, this.curve, [...this.points.values()].flat(), this.at);
    const { x, y, dy } = this.curve, at = this.at;
    const word = (value) => (value === null ? "not finite" : Number(value.toPrecision(4)));
    byId("reading").textContent =
      at === null ? "" : `f(${word(x[at])}) = ${word(y[at])}, f′ = ${word(dy[at])}`;
    curve.setAttribute("aria-label",
      `Curve of ${formula.value} and its derivative, x from ${x[0]} to ${x.at(-1)}; arrow keys read values`);
  }

  /** Reads the values at a point of the curve, given by its place; at none if null. */
  read(at) {
    this.at = at;
    this.redraw();
  }

  point(offset) {
    if (!this.curve) return;
    const { x } = this.curve, share = (offset - 4) / (curve.clientWidth - 8);
    this.read(draw.nearest(x, x[0] + share * (x.at(-1) - x[0])));
  }

  press(event) {
    const by = { ArrowLeft: -STRIDE, ArrowRight: STRIDE }[event.key];
    if (!by || !this.curve) return;
    event.preventDefault();
    const last = this.curve.x.length - 1;
    const from = this.at ?? Math.round(last / 2) - by;
    this.read(Math.max(0, Math.min(last, from + by)));
  }
}

/** Pale is what belongs to the function before: the formula that stands there is new, or wrong. */
function pale(isPale) {
  for (const id of ["about", "curve", "properties"]) byId(id).classList.toggle("stale", isPale);
}
