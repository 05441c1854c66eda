// Plots on canvas. Every function draws all of its canvas, from numbers alone.
//
// The page is in modules, as one would pass a thousand lines: this one draws, in the `colours.js` of
// the style sheet; `formula.js` has the function, `network.js` the grid of neurons, `walk.js` the way
// of one sample; `app.js` talks to the server.

import { palette, rgb } from "./colours.js";

// --- Canvases ---------------------------------------------------------------------------------

/** A context in CSS pixels, sharp on any screen. */
function open(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const across = Math.round(width * ratio), down = Math.round(height * ratio);
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  return { context, width, height };
}

/** Base64 as bytes. */
export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Responses as a picture, a pixel each; the style sheet makes it larger. */
export function heat(canvas, values, width, height) {
  canvas.width = width;
  canvas.height = height;
  const table = palette().ramp;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let k = 0; k < values.length; k++) {
    image.data.set(table.subarray(3 * values[k], 3 * values[k] + 3), 4 * k);
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** Responses by class as bars from the middle. */
export function profile(canvas, values) {
  const size = 40, { ramp: table, card, line } = palette();
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  context.fillStyle = card;
  context.fillRect(0, 0, size, size);
  const wide = size / values.length;
  values.forEach((value, k) => {
    const tall = ((value - 128) / 127) * (size / 2 - 2);
    const at = 3 * (value < 128 ? 0 : 255);
    context.fillStyle = `rgb(${table[at]},${table[at + 1]},${table[at + 2]})`;
    context.fillRect(k * wide + 0.5, size / 2 - Math.max(tall, 0), wide - 1, Math.abs(tall));
  });
  context.fillStyle = line;
  context.fillRect(0, size / 2, size, 0.5);
}

// --- A function and its derivative ------------------------------------------------------------

/** Ticks at round numbers. */
function ticks(low, high, count) {
  const rough = (high - low) / count, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((size) => size >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
  return found;
}

function label(number) {
  return String(Number(number.toPrecision(4)));
}

/** Draws axes, returns how numbers become places. */
function axes({ context, width, height }, xs, ys) {
  const { line, soft } = palette();
  const left = 4, right = width - 4, top = 8, bottom = height - 16;
  const x = (value) => left + ((value - xs[0]) / (xs[1] - xs[0])) * (right - left);
  const y = (value) => bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (bottom - top);
  context.lineWidth = 1;
  context.fillStyle = soft;
  for (const tick of ticks(...xs, Math.max(3, width / 70))) {
    context.strokeStyle = line;
    context.globalAlpha = tick === 0 ? 1 : 0.55;
    stroke(context, [[x(tick), top], [x(tick), bottom]]);
    context.globalAlpha = 1;
    context.textAlign = tick === xs[0] ? "left" : tick === xs[1] ? "right" : "center";
    context.fillText(label(tick), x(tick), height - 4);
  }
  context.textAlign = "left";
  for (const tick of ticks(...ys, Math.max(2, height / 50))) {
    context.strokeStyle = tick === 0 ? soft : line;
    context.globalAlpha = 0.55;
    stroke(context, [[left, y(tick)], [right, y(tick)]]);
    context.globalAlpha = 1;
    if (tick !== 0) context.fillText(label(tick), left + 2, y(tick) - 3);
  }
  return { x, y };
}

/** A line through points; null ends it. */
function stroke(context, points) {
  context.beginPath();
  let isDown = false;
  for (const point of points) {
    if (point === null) {
      isDown = false;
    } else {
      context[isDown ? "lineTo" : "moveTo"](...point);
      isDown = true;
    }
  }
  context.stroke();
}

function line(context, place, xs, ys, colour, dash = []) {
  context.strokeStyle = colour;
  context.lineWidth = 2.2;
  context.lineJoin = "round";
  context.setLineDash(dash);
  stroke(context, xs.map((x, k) => (x === null || ys[k] === null ? null : [place.x(x), place.y(ys[k])])));
  context.setLineDash([]);
}

/** A function with its derivative; `at` marks one place, `points` what was found. */
export function curve(canvas, { x, y, dy, low, high }, points, at) {
  const paper = open(canvas), { context, width, height } = paper;
  const { value, slope, ink, card } = palette();
  const place = axes(paper, [x[0], x[x.length - 1]], [low, high]);
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height - 14);
  context.clip();
  line(context, place, x, dy, slope, [6, 5]);
  line(context, place, x, y, value);
  for (const point of points) {
    const k = nearest(x, point);
    if (y[k] === null || point < x[0] || point > x[x.length - 1]) continue;
    dot(context, place.x(point), place.y(y[k]), 3.6, card, value);
  }
  if (at !== null && at !== undefined) {
    context.strokeStyle = ink;
    context.lineWidth = 1;
    context.globalAlpha = 0.5;
    stroke(context, [[place.x(x[at]), 0], [place.x(x[at]), height]]);
    context.globalAlpha = 1;
    if (dy[at] !== null) dot(context, place.x(x[at]), place.y(dy[at]), 4, slope, card);
    if (y[at] !== null) dot(context, place.x(x[at]), place.y(y[at]), 4, value, card);
  }
  context.restore();
}

/** The place in ascending numbers that is nearest to one. */
export function nearest(numbers, wanted) {
  let best = 0;
  numbers.forEach((number, k) => {
    if (Math.abs(number - wanted) < Math.abs(numbers[best] - wanted)) best = k;
  });
  return best;
}

function dot(context, x, y, radius, fill, edge) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.strokeStyle = edge;
  context.lineWidth = 1.6;
  context.fill();
  context.stroke();
}

/** A function over the pre-activations of one neuron, with their histogram beneath. */
export function overHistogram(canvas, histogram, piece) {
  const paper = open(canvas), { context, height } = paper;
  const { value, slope, soft } = palette();
  const { low, high, counts } = histogram;
  const shown = piece ? [...piece.y, ...piece.dy].filter((v) => v !== null) : [0, 1];
  const ys = [Math.min(0, ...shown), Math.max(...shown)];
  const margin = 0.08 * (ys[1] - ys[0]) || 1;
  const place = axes(paper, [low, high], [ys[0] - margin, ys[1] + margin]);
  const most = Math.max(1, ...counts), wide = (high - low) / counts.length;
  context.fillStyle = soft;
  context.globalAlpha = 0.35;
  counts.forEach((count, k) => {
    const tall = (count / most) * (height - 30), from = place.x(low + k * wide);
    context.fillRect(from + 0.5, height - 16 - tall, place.x(low + (k + 1) * wide) - from - 1, tall);
  });
  context.globalAlpha = 1;
  if (!piece) return;
  line(context, place, piece.x, piece.dy, slope, [6, 5]);
  line(context, place, piece.x, piece.y, value);
}

// --- Training ---------------------------------------------------------------------------------

/** Two series over the epochs, train and test. */
export function series(canvas, history, names, range) {
  const paper = open(canvas);
  const { value, slope } = palette();
  const epochs = history.map((frame) => frame.epoch);
  const columns = names.map((name) => history.map((frame) => frame[name]));
  const seen = columns.flat().filter((v) => v !== null);
  const ys = range || [0, 1.08 * Math.max(1e-9, ...seen)];
  const place = axes(paper, [0, Math.max(1, epochs.at(-1) || 1)], ys);
  line(paper.context, place, epochs, columns[1], slope, [6, 4]);
  line(paper.context, place, epochs, columns[0], value);
}

/** The class chosen all over the plane, the clearer the stronger, and the data. */
export function region(canvas, shown, built, followed) {
  const { context, width } = open(canvas);
  const { classes, ink, card } = palette();
  const { cells } = shown, chosen = bytes(shown.classes), clear = bytes(shown.clear);
  const small = new OffscreenCanvas(cells, cells), inside = small.getContext("2d");
  const image = inside.createImageData(cells, cells), paints = classes.map(rgb);
  for (let k = 0; k < chosen.length; k++) {
    image.data.set(paints[chosen[k] % 4], 4 * k);
    image.data[4 * k + 3] = 30 + clear[k] * 0.5;
  }
  inside.putImageData(image, 0, 0);
  context.drawImage(small, 0, 0, width, width);
  const place = (v) => ((v / built.extent + 1) / 2) * width;
  for (const [part, isHollow] of [["test", true], ["train", false]]) {
    const [points, targets] = built.points[part];
    points.forEach(([x, y], k) => {
      const colour = classes[targets[k] % 4];
      mark(context, place(x), place(-y), targets[k], isHollow ? card : colour, isHollow ? colour : card);
    });
  }
  if (followed) {
    context.beginPath();
    context.arc(place(followed[0]), place(-followed[1]), 9, 0, 2 * Math.PI);
    context.strokeStyle = ink;
    context.lineWidth = 2.4;
    context.stroke();
  }
}

/** A sample: its class is its shape, too. */
function mark(context, x, y, kind, fill, edge) {
  context.beginPath();
  if (kind % 4 === 0) context.arc(x, y, 3.3, 0, 2 * Math.PI);
  if (kind % 4 === 1) context.rect(x - 2.9, y - 2.9, 5.8, 5.8);
  if (kind % 4 >= 2) {
    const turn = kind % 4 === 2 ? 1 : -1;
    context.moveTo(x, y - 4 * turn);
    context.lineTo(x + 3.8, y + 3 * turn);
    context.lineTo(x - 3.8, y + 3 * turn);
    context.closePath();
  }
  context.fillStyle = fill;
  context.strokeStyle = edge;
  context.lineWidth = 1.1;
  context.fill();
  context.stroke();
}

/** How many samples of each class (row) are taken for which (column). */
export function confusion(canvas, table) {
  const { context, width } = open(canvas);
  const { value, slope, soft, ink } = palette();
  const margin = 22, size = (width - margin - 4) / table.length;
  context.textAlign = "center";
  context.textBaseline = "middle";
  table.forEach((row, i) => {
    const all = Math.max(1, row.reduce((sum, count) => sum + count, 0));
    context.fillStyle = soft;
    context.fillText(i, margin / 2, margin + (i + 0.5) * size);
    context.fillText(i, margin + (i + 0.5) * size, margin / 2);
    row.forEach((count, j) => {
      context.fillStyle = i === j ? value : slope;
      context.globalAlpha = count ? 0.12 + 0.88 * (count / all) : 0.03;
      context.fillRect(margin + j * size + 1, margin + i * size + 1, size - 2, size - 2);
      context.globalAlpha = 1;
      context.fillStyle = ink;
      if (count) context.fillText(count, margin + (j + 0.5) * size, margin + (i + 0.5) * size);
    });
  });
  context.textBaseline = "alphabetic";
}

/** A small picture of a data set, for its button. */
export function thumbnail(canvas, name) {
  const { context, width } = open(canvas);
  const { classes, ink } = palette();
  if (name === "digits") {
    context.font = "600 25px ui-monospace, monospace";
    context.textAlign = "center";
    context.fillStyle = ink;
    context.fillText("3", width / 2, width / 2 + 9);
    return;
  }
  const count = 26;
  for (let k = 0; k < count; k++) {
    const kind = k % 2, t = k / count;
    const [x, y] = SHAPES[name](t, kind, k);
    dot(context, (0.5 + 0.42 * x) * width, (0.5 - 0.42 * y) * width, 1.8, classes[kind], classes[kind]);
  }
}

const turn = (angle, radius) => [radius * Math.cos(2 * Math.PI * angle), radius * Math.sin(2 * Math.PI * angle)];
const SHAPES = {
  moons: (t, kind) => [0.6 * Math.cos(Math.PI * (t + kind)) + (kind ? 0.3 : -0.3),
    0.7 * Math.sin(Math.PI * (t + kind)) + (kind ? 0.2 : -0.2)],
  circles: (t, kind) => turn(t, kind ? 0.45 : 0.95),
  spirals: (t, kind) => turn(t * 1.25 + kind / 2, 0.15 + 0.8 * t),
  xor: (t, kind, k) => {
    const side = k % 4 < 2 ? 1 : -1;
    const [x, y] = turn(k * 0.37, 0.28);
    return [x + 0.55 * side, y + 0.55 * side * (kind ? -1 : 1)];
  },
  blobs: (t, kind, k) => {
    const [x, y] = turn(k * 0.37, 0.1 + 0.3 * ((k * 7) % 11) / 11);
    return [x + (kind ? 0.45 : -0.45), y + (kind ? 0.4 : -0.4)];
  },
};
