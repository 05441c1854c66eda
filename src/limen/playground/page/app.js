// The playground's page: what people set goes to the server, what it answers is shown.

import * as draw from "./draw.js";
import { facts, make } from "./make.js";
import { Network, showNeuron } from "./network.js";
import { Walk } from "./walk.js";

const byId = (id) => document.getElementById(id);
const EXAMPLES = ["relu", "tanh", "gelu", "silu", "x * tanh(softplus(x))", "sin(x)", "x + sin(x)**2", "heaviside"];
const DATA = ["moons", "circles", "spirals", "xor", "blobs", "digits"];
const TYPING = 250; // milliseconds of rest before a formula is sent
const MOST_FRAMES = 1500; // of the history; beyond, every other one goes

const state = {
  formula: "relu", parameters: "", asked: "", explored: 0, // what the model is built with
  widths: [8, 8], curve: null, points: new Map(), at: null, rows: [],
  built: null, network: null, frame: null, history: [], training: false,
  opened: null, neuron: null, followed: null,
};

// --- The connection -----------------------------------------------------------------------------

// The token is in the fragment, which no server sees. It stays in this tab, and out of the address.
if (location.hash.length > 1) {
  sessionStorage.setItem("token", location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");
const socket = token ? new WebSocket(`ws://${location.host}/live`, ["limen-playground", token]) : null;

function send(request) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request));
}

function say(text, isWrong = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("wrong", isWrong);
}

if (!socket) {
  say("Open the address that limen playground printed: it holds a token.", true);
} else {
  let reason = "";
  socket.onopen = () => { say("ready"); explore(); build(); };
  socket.onclose = () => say(reason || "The server is gone: start limen playground again.", true);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.kind === "full") reason = message.message;
    answers[message.kind]?.(message);
  };
}

const answers = {
  formula: onFormula, curve: onCurve, property: onProperty, explored: onExplored,
  built: onBuilt, frame: onFrame, neuron: ({ neuron }) => showOpened(neuron), sample: onSample,
  state: ({ training }) => showTraining(training),
  diverged: ({ message }) => { showTraining(false); say(message, true); },
  refused: ({ message }) => say(message, true),
  wrong: ({ message }) => say(message, true),
  full: ({ message }) => say(message, true),
  busy: ({ message }) => say(message),
  stopped: onStopped,
};

/** A process of the server was ended: it took too long. */
function onStopped({ role, message }) {
  say(message, true);
  if (role === "formulas") {
    showError(message, null, null);
    return;
  }
  showTraining(false);
  state.built = state.frame = null;
  state.asked = "";
}

// --- The function -------------------------------------------------------------------------------

let typing = 0;

function explore() {
  clearTimeout(typing);
  state.explored += 1;
  setStale(true);
  send({ do: "explore", formula: byId("formula").value, parameters: byId("parameters").value,
    number: state.explored });
}

for (const id of ["formula", "parameters"]) {
  byId(id).oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(explore, TYPING);
  };
}

byId("examples").append(...EXAMPLES.map((text) => {
  const button = make("button", { type: "button", className: "code" }, text);
  button.onclick = () => { byId("formula").value = text; explore(); };
  return button;
}));

function onFormula(message) {
  if (message.number !== state.explored) return;
  if (message.wrong !== null) {
    showError(message.wrong, message.text, message.column);
    return;
  }
  showError("", null, null);
  setStale(false);
  byId("about").textContent = message.about;
  state.points.clear();
  const values = Object.entries(message.parameters).map(([name, value]) => `${name} = ${value}`);
  const prime = message.gated ? `df/d${message.by}` : "f′(x)";
  state.rows = [
    [message.gated ? "f" : "f(x)", message.formula], [prime, message.derivative],
    ["parameters", values.join(", ")],
    ["gated", message.gated ? "the curve is along the gate, its value held at 1" : ""],
  ];
  facts(byId("properties"), state.rows);
}

/** Pale is what belongs to the function before: the formula that stands there is new, or wrong. */
function setStale(isStale) {
  for (const id of ["about", "curve", "properties"]) byId(id).classList.toggle("stale", isStale);
}

/** What is wrong, and the formula with a caret under the column where the trouble starts. */
function showError(wrong, text, column) {
  const box = byId("error"), input = byId("formula");
  box.hidden = wrong === "";
  input.setAttribute("aria-invalid", String(wrong !== ""));
  const lines = [wrong];
  if (text !== null && column !== null) {
    const shown = text.replace(/\s/g, " ");
    lines.push(make("code", {}, `${shown}\n${" ".repeat(column)}^`));
    lines[0] += ` (column ${column + 1})`;
  }
  box.replaceChildren(...lines);
}

function onCurve(message) {
  if (message.number !== state.explored) return;
  state.curve = message;
  state.at = null;
  drawCurve();
}

function onProperty({ number, name, text, points }) {
  if (number !== state.explored) return;
  state.rows.push([name, text]);
  facts(byId("properties"), state.rows);
  state.points.set(name, points);
  drawCurve();
}

/** All is known, and the kernels are there: the model takes the function. */
function onExplored({ number }) {
  if (number !== state.explored) return;
  Object.assign(state, { formula: byId("formula").value, parameters: byId("parameters").value });
  if (state.asked !== JSON.stringify([state.formula, state.parameters])) build();
}

function drawCurve() {
  if (!state.curve) return;
  draw.curve(byId("curve"), state.curve, [...state.points.values()].flat(), state.at);
  const { x, y, dy } = state.curve, at = state.at;
  const word = (value) => (value === null ? "not finite" : Number(value.toPrecision(4)));
  byId("reading").textContent =
    at === null ? "" : `f(${word(x[at])}) = ${word(y[at])}, f′ = ${word(dy[at])}`;
  byId("curve").setAttribute("aria-label",
    `Curve of ${byId("formula").value} and its derivative, x from ${x[0]} to ${x.at(-1)}; arrow keys read values`);
}

byId("curve").onpointermove = ({ offsetX, target }) => {
  if (!state.curve) return;
  const { x } = state.curve, share = (offsetX - 4) / (target.clientWidth - 8);
  state.at = draw.nearest(x, x[0] + share * (x.at(-1) - x[0]));
  drawCurve();
};
byId("curve").onpointerleave = () => { state.at = null; drawCurve(); };
byId("curve").onkeydown = (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || !state.curve) return;
  event.preventDefault();
  const last = state.curve.x.length - 1;
  const from = state.at ?? Math.round(last / 2) - 10 * by;
  state.at = Math.max(0, Math.min(last, from + 10 * by));
  drawCurve();
};

// --- The model ----------------------------------------------------------------------------------

const walk = new Walk((layer) => state.network?.point(layer));
walk.clear();

function number(id) {
  return Number(byId(id).value);
}

function build() {
  showTraining(false);
  state.asked = JSON.stringify([state.formula, state.parameters]);
  const data = document.querySelector("input[name=data]:checked").value;
  send({ do: "build", formula: state.formula, parameters: state.parameters, data, widths: state.widths,
    seed: number("seed"), loss: byId("loss").value, optimizer: byId("optimizer").value,
    rate: number("rate"), batch: number("batch"), pace: number("pace") });
}

byId("data").append(...DATA.map((name, k) => {
  const input = make("input", { type: "radio", name: "data", value: name, checked: k === 0, onchange: build });
  const canvas = make("canvas", { className: "thumbnail" });
  canvas.setAttribute("aria-hidden", "true");
  return make("label", {}, input, canvas, name);
}));

function onBuilt(built) {
  const hadOpened = state.opened !== null;
  Object.assign(state, { built, history: [], frame: null, opened: null, followed: null });
  if (hadOpened) closeNeuron();
  state.network = new Network(built, openNeuron, resize);
  walk.clear();
  const hidden = built.columns.length - 1;
  byId("depth").textContent = `${hidden} hidden layer${hidden === 1 ? "" : "s"}`;
  byId("size").textContent =
    `${state.formula}: ${built.parameters.toLocaleString("en")} weights and biases; ` +
    `${built.samples[0].toLocaleString("en")} samples to learn from, ${built.samples[1]} to test`;
  byId("region-caption").textContent = built.plane
    ? "Decision regions. Full marks: train, hollow: test. Choose a mark to follow that sample."
    : "Test samples: their class down, what the model takes them for across.";
  byId("hint").textContent = (built.plane
    ? "Each square is a neuron: what it answers all over the plane. "
    : "Squares of the first layer show a neuron's weights, a pixel each; the others its mean answer to each class. ") +
    "Layers are numbered as in model.layers of limen.Model. Open a neuron to look closer. A cross marks a dead one: " +
    "its derivative is below 0.001 on every training sample.";
  say("ready");
}

/** A frame of the training. The next one is sent when this one has been shown. */
function onFrame(frame) {
  state.frame = frame;
  if (state.history.length > MOST_FRAMES) state.history = state.history.filter((_, k) => k % 2 === 0);
  state.history.push(frame);
  requestAnimationFrame(() => {
    if (state.built && state.frame) drawFrame();
    send({ do: "seen" });
  });
}

function drawFrame() {
  const { frame, built, history } = state;
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  byId("epoch").textContent = Number(frame.epoch.toFixed(1)).toLocaleString("en");
  byId("train-accuracy").textContent = percent(frame.train_accuracy);
  byId("test-accuracy").textContent = percent(frame.test_accuracy);
  byId("dead").textContent = state.network.show(frame);
  drawResult();
  draw.series(byId("losses"), history, ["train_loss", "test_loss"]);
  draw.series(byId("accuracies"), history, ["train_accuracy", "test_accuracy"], [0, 1.05]);
  const word = (value) => (value === null ? "not finite" : value.toPrecision(3));
  byId("losses").setAttribute("aria-label",
    `Loss: ${word(frame.train_loss)} on the train part, ${word(frame.test_loss)} on the test part`);
  byId("accuracies").setAttribute("aria-label",
    `Accuracy: ${percent(frame.train_accuracy)} train, ${percent(frame.test_accuracy)} test`);
  if (frame.neuron) showOpened(frame.neuron);
  if (state.followed && !frame.training && walk.sample?.steps !== frame.steps) follow(walk.sample.index);
}

function drawResult() {
  const { frame, built } = state;
  if (built.plane) draw.region(byId("region"), frame.region, built, state.followed);
  else draw.confusion(byId("region"), frame.confusion);
}

function showTraining(training) {
  state.training = training;
  byId("train").textContent = training ? "Pause" : "Train";
  if (training) say("training");
  else if (byId("status").textContent === "training") say("paused");
}

byId("train").onclick = () => {
  if (!state.built) build();
  send({ do: state.training ? "pause" : "train" });
};
byId("step").onclick = () => send({ do: "step" });
byId("reset").onclick = build;
for (const id of ["seed", "loss", "optimizer", "batch"]) byId(id).onchange = build;
for (const id of ["rate", "pace"]) {
  byId(id).onchange = () => send({ do: "tune", rate: number("rate"), pace: number("pace") });
}

function resize(column, by) {
  state.widths[column] = Math.max(1, state.widths[column] + by);
  build();
}
byId("more").onclick = () => { state.widths.push(state.widths.at(-1) || 8); build(); };
byId("fewer").onclick = () => { state.widths.pop(); build(); };

// --- A neuron, a sample -------------------------------------------------------------------------

function openNeuron(layer, neuron) {
  state.opened = [layer, neuron];
  state.network.press(layer, neuron);
  byId("neuron").hidden = false;
  send({ do: "neuron", layer, neuron });
  byId("neuron-title").focus({ preventScroll: true });
  byId("neuron").scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function showOpened(neuron) {
  const isIt = state.opened && neuron.layer === state.opened[0] && neuron.neuron === state.opened[1];
  if (!isIt || !state.built) return;
  state.neuron = neuron;
  showNeuron(neuron, state.built);
}

function closeNeuron() {
  const opened = state.opened;
  state.opened = null;
  byId("neuron").hidden = true;
  state.network.press(-1, -1);
  send({ do: "neuron", layer: -1, neuron: 0 });
  if (opened) state.network.tiles.get(opened[0])?.[opened[1]]?.tile.focus();
}
byId("close-neuron").onclick = closeNeuron;

function follow(index) {
  send({ do: "sample", index });
}
byId("follow").onclick = () => follow(number("sample-index"));

function onSample(sample) {
  if (!state.built || !state.frame) return;
  state.followed = sample.x;
  walk.take(sample);
  drawResult();
}

byId("region").onclick = ({ offsetX, offsetY, target }) => {
  if (!state.built?.plane) return;
  const { extent, points } = state.built, size = target.clientWidth;
  const [x, y] = [(2 * offsetX / size - 1) * extent, (1 - 2 * offsetY / size) * extent];
  const far = points.train[0].map((p) => Math.hypot(p[0] - x, p[1] - y));
  follow(far.indexOf(Math.min(...far)));
};

// --- The theme, the window ----------------------------------------------------------------------

function redraw() {
  draw.forgetColours();
  document.querySelectorAll(".thumbnail").forEach((canvas, k) => draw.thumbnail(canvas, DATA[k]));
  drawCurve();
  if (state.built && state.network) {
    state.network.paintInputs();
    if (state.frame) drawFrame();
    if (state.opened && state.neuron) showOpened(state.neuron);
  }
}

const THEMES = ["automatic", "light", "dark"];
function setTheme(theme) {
  if (theme === "automatic") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Theme: ${theme}`;
  localStorage.setItem("theme", theme);
  redraw();
}
byId("theme").onclick = () => {
  const now = localStorage.getItem("theme") || "automatic";
  setTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
};
setTheme(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "automatic");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("resize", redraw);
