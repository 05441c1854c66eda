// The playground's page: what people set goes to the server, what it answers is shown.

import { forgetColours } from "./colours.js";
import * as draw from "./draw.js";
import { Formula } from "./formula.js";
import { make } from "./make.js";
import { Network, showNeuron } from "./network.js";
import { Walk } from "./walk.js";

const byId = (id) => document.getElementById(id);
const DATA = ["moons", "circles", "spirals", "xor", "blobs", "digits"];
const MOST_FRAMES = 1500; // of the history; beyond, every other one goes

const state = {
  formula: "relu", parameters: "", asked: "", // what the model is built with
  widths: [8, 8], built: null, network: null, frame: null, history: [], training: false,
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

const shown = new Formula(send, (formula, parameters) => {
  Object.assign(state, { formula, parameters });
  if (state.asked !== JSON.stringify([formula, parameters])) build();
});

if (!socket) {
  say("Open the address that limen playground printed: it holds a token.", true);
} else {
  let reason = "";
  socket.onopen = () => { say("ready"); shown.explore(); build(); };
  socket.onclose = () => say(reason || "The server is gone: start limen playground again.", true);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.kind === "full") reason = message.message;
    answers[message.kind]?.(message);
  };
}

const answers = {
  formula: (message) => shown.begin(message), curve: (message) => shown.draw(message),
  property: (message) => shown.add(message), explored: (message) => shown.end(message),
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
    shown.complain(message);
    return;
  }
  showTraining(false);
  state.built = state.frame = null;
  state.asked = "";
}

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
  forgetColours();
  document.querySelectorAll(".thumbnail").forEach((canvas, k) => draw.thumbnail(canvas, DATA[k]));
  shown.redraw();
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
