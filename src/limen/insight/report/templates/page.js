"use strict";
(() => {
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;

  // The theme: the system's, until the reader presses the switch. A page opened from a file may be
  // denied its storage.
  const stored = (act) => { try { return act(localStorage); } catch { return null; } };
  const chosen = stored((store) => store.getItem("limen-theme"));
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  // A figure's colours are names such as var(--value). The browser knows what they are now.
  function resolved(part, probe) {
    if (typeof part === "string" && /^var\(--[a-z0-9-]+\)$/.test(part)) {
      probe.style.color = part;
      return getComputedStyle(probe).color;
    }
    if (Array.isArray(part)) return part.map((each) => resolved(each, probe));
    if (part === null || typeof part !== "object") return part;
    const entries = Object.entries(part).map(([name, value]) => [name, resolved(value, probe)]);
    return Object.fromEntries(entries);
  }

  // Plotly comes packed in the page. It runs as an inline script, which the page's policy admits
  // for this text alone, by its hash.
  let library = null;
  function loaded() {
    library ??= (async () => {
      const packed = atob(document.getElementById("plotly").textContent);
      const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const script = document.createElement("script");
      script.textContent = await new Response(stream).text();
      document.head.append(script);
      return globalThis.Plotly;
    })();
    return library;
  }

  const drawn = new Set();
  async function draw(place) {
    const Plotly = await loaded();
    const probe = document.createElement("span");
    place.append(probe);
    const data = JSON.parse(document.getElementById(`${place.id}-data`).textContent);
    const { data: traces, layout } = resolved(data, probe);
    probe.remove();
    await Plotly.react(place, traces, layout, { responsive: true, displayModeBar: false });
    place.dataset.drawn = isDark() ? "dark" : "light";
    drawn.add(place);
  }

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    const repaint = () => { show(); drawn.forEach(draw); };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      stored((store) => store.setItem("limen-theme", root.dataset.theme));
      repaint();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    show();

    // A figure is drawn when it comes near: a model may have a hundred layers.
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        draw(target);
      }
    }, { rootMargin: "400px" });
    for (const place of document.querySelectorAll(".plot")) {
      place.style.minHeight = `${place.dataset.height}px`;
      near.observe(place);
    }
  });
})();
