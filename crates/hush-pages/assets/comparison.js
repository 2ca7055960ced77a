// Comparing runs: curves of one metric over each other, and a scatter of any two numbers.
"use strict";
(() => {
  const { hush } = window;
  const svg = (name, attributes = {}, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

  /// What a run has under `metrics.loss` or `params.rate`; null if nothing.
  const field = (run, name) => {
    const [kind, key] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
    const own = kind === "metrics" ? run.metrics : run.params;
    return Object.hasOwn(own, key) ? own[key] : null;
  };

  /// A scale for a field: numbers by size, other texts one beside the other.
  const scale = (runs, name) => {
    const values = runs.map((run) => field(run, name)).filter((value) => value !== null && value !== "");
    const numeric = values.length > 0 && values.every((value) => Number.isFinite(Number(value)));
    if (numeric) {
      const numbers = values.map(Number);
      let [least, most] = [Math.min(...numbers), Math.max(...numbers)];
      if (least === most) { least -= Math.abs(least) * 0.1 || 1; most += Math.abs(most) * 0.1 || 1; }
      const logarithmic = least > 0 && most / least > 300;
      const to = logarithmic ? Math.log : (value) => value;
      const place = (value) => (value === null || value === "" ? null : (to(Number(value)) - to(least)) / (to(most) - to(least)));
      const from = logarithmic ? Math.exp : (value) => value;
      const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => [share, hush.number(Number(from(to(least) + share * (to(most) - to(least))).toPrecision(3)))]);
      return { place, ticks };
    }
    const names = [...new Set(values.map(String))].sort();
    const place = (value) => (value === null || value === "" ? null : names.length === 1 ? 0.5 : names.indexOf(String(value)) / (names.length - 1));
    const every = Math.max(1, Math.ceil(names.length / 12));
    return { place, ticks: names.map((name, index) => [place(name), short(name, 16)]).filter((_, index) => index % every === 0) };
  };

  /// Light up one run wherever it is drawn.
  const light = (id) => {
    for (const other of document.querySelectorAll(".near")) other.classList.remove("near");
    if (id) for (const part of document.querySelectorAll(`.drawn [data-run-id="${CSS.escape(id)}"]`)) { part.classList.add("near"); if (part.matches("path")) part.parentNode.append(part); }
  };

  const overlay = (runs) => {
    const element = document.querySelector("#overlay");
    const choice = document.querySelector("[data-overlay]");
    if (!element) return;
    let curves = [];
    const legend = document.querySelector("#overlay-legend");
    const show = () => {
      hush.draw(element, curves, view(), {
        cursor: (plot, drawn) => {
          const index = plot.cursor.idx;
          drawn.forEach((curve, place) => {
            const at = index === null || index === undefined ? null : plot.data[place + 1][index];
            curve.output.textContent = at === null || at === undefined ? "" : " " + hush.number(at);
          });
        },
      });
    };
    const view = hush.view(element.closest("section"), show);
    const ask = async () => {
      const drawn = runs.slice(0, 20);
      const query = new URLSearchParams([["key", choice.value], ...drawn.map((run) => ["run", run.id])]);
      const answer = await hush.ask(`/compare/curves?${query}`);
      legend.replaceChildren();
      curves = (answer?.curves ?? []).map((curve, index) => {
        const run = drawn[index];
        const line = document.createElement("li");
        const dot = document.createElement("span");
        dot.className = "dot";
        dot.style.background = `var(--c${index % 10})`;
        const link = document.createElement("a");
        link.href = run.address;
        link.textContent = short(run.name, 30);
        const output = document.createElement("span");
        line.append(dot, link, output);
        if (curve.values.length > 0) legend.append(line);
        return { ...curve, label: run.name, colour: index, output };
      }).filter((curve) => curve.values.length > 0);
      show();
    };
    choice.addEventListener("change", ask);
    document.addEventListener("theme", show);
    hush.watchSize(element);
    ask();
  };

  const scatter = (runs, names) => {
    const element = document.querySelector("#scatter");
    const [across, up] = ["x", "y"].map((name) => document.querySelector(`[data-scatter="${name}"]`));
    if (!element || names.length === 0) return;
    for (const select of [across, up]) {
      for (const name of names) select.append(new Option(name, name));
    }
    const metrics = names.filter((name) => name.startsWith("metrics."));
    up.value = metrics[0] ?? names[0];
    across.value = names.find((name) => name.startsWith("params.")) ?? metrics[1] ?? names[0];
    const show = () => {
      const [width, height] = [element.clientWidth, element.clientHeight];
      const [left, right, top, bottom] = [64, 14, 10, 44];
      const [x, y] = [scale(runs, across.value), scale(runs, up.value)];
      const picture = svg("svg", { viewBox: `0 0 ${width} ${height}` });
      const atX = (share) => left + share * (width - left - right);
      const atY = (share) => height - bottom - share * (height - top - bottom);
      for (const [share, text] of x.ticks) {
        picture.append(svg("line", { class: "grid", x1: atX(share), x2: atX(share), y1: top, y2: height - bottom }));
        picture.append(svg("text", { x: atX(share), y: height - bottom + 16, "text-anchor": "middle" }, short(text, Math.max(4, Math.floor(width / x.ticks.length / 8)))));
      }
      for (const [share, text] of y.ticks) {
        picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: atY(share), y2: atY(share) }));
        picture.append(svg("text", { x: left - 8, y: atY(share) + 4, "text-anchor": "end" }, short(text, 9)));
      }
      picture.append(svg("text", { class: "name", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, short(across.value, 40)));
      runs.forEach((run, index) => {
        const [shareX, shareY] = [x.place(field(run, across.value)), y.place(field(run, up.value))];
        if (shareX === null || shareY === null || Number.isNaN(shareX + shareY)) return;
        const link = svg("a", { href: run.address, "aria-label": run.name });
        const point = svg("circle", { class: "point", cx: atX(shareX), cy: atY(shareY), r: 6, fill: hush.palette(index), "data-run-id": run.id });
        point.append(svg("title", {}, `${run.name}\n${across.value}: ${field(run, across.value)}\n${up.value}: ${field(run, up.value)}`));
        point.addEventListener("pointerenter", () => light(run.id));
        point.addEventListener("pointerleave", () => light(null));
        link.append(point);
        picture.append(link);
      });
      element.replaceChildren(picture);
    };
    for (const select of [across, up]) select.addEventListener("change", show);
    document.addEventListener("theme", show);
    new ResizeObserver(show).observe(element);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const written = document.querySelector("#comparison");
    if (!written) return;
    const { runs } = JSON.parse(written.textContent);
    const names = new Set();
    for (const run of runs) {
      for (const key of Object.keys(run.metrics)) names.add("metrics." + key);
      for (const key of Object.keys(run.params)) names.add("params." + key);
    }
    Object.assign(hush, { runs, field, scale, light, svg, short });
    overlay(runs);
    scatter(runs, [...names].sort());
    document.dispatchEvent(new CustomEvent("comparison"));
  });
})();
