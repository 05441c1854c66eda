// The colours of the style sheet, for canvases: they follow the theme.

let colours = null;

/** The colours of the style sheet, as it is now. */
export function palette() {
  if (colours) return colours;
  const probe = document.createElement("span");
  document.body.append(probe);
  const named = (name) => {
    probe.style.color = `var(--${name})`; // only the browser knows which of two it is
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "soft", "line", "card", "field", "value", "slope", "zero", "wrong", "accent"];
  colours = Object.fromEntries(names.map((name) => [name, named(name)]));
  colours.classes = [0, 1, 2, 3].map((k) => named(`class-${k}`));
  colours.ramp = ramp(rgb(colours.slope), rgb(colours.zero), rgb(colours.value));
  probe.remove();
  return colours;
}

/** Forgets the colours: the theme changed. */
export function forgetColours() {
  colours = null;
}

/** Red, green and blue of a colour of the style sheet. */
export function rgb(colour) {
  return colour.match(/\d+/g).slice(0, 3).map(Number);
}

/** 256 colours from below 0 over 0, which is 128, to above. */
function ramp(low, zero, high) {
  const table = new Uint8ClampedArray(256 * 3);
  for (let k = 0; k < 256; k++) {
    const end = k < 128 ? low : high;
    const share = Math.min(1, Math.abs(k - 128) / 127);
    for (let c = 0; c < 3; c++) table[3 * k + c] = zero[c] + (end[c] - zero[c]) * share;
  }
  return table;
}
