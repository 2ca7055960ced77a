// Parallel coordinates: one axis a parameter or metric, one line a run; dragging along an axis keeps what passes there.
"use strict";
(() => {
  const { hush } = window;
  const kept = new Map();

  const show = (element, chosen) => {
    const { runs, field, scale, light, svg, short } = hush;
    const [width, height] = [element.clientWidth, element.clientHeight];
    const [side, top, bottom] = [46, 26, 14];
    const axes = chosen.map((name) => ({ name, ...scale(runs, name) }));
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}` });
    if (axes.length < 2) {
      picture.append(svg("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "Choose at least two axes"));
      element.replaceChildren(picture);
      return;
    }
    const atX = (index) => side + (index * (width - 2 * side)) / (axes.length - 1);
    const atY = (share) => height - bottom - share * (height - top - bottom);
    const shares = (run) => axes.map((axis) => axis.place(field(run, axis.name)));
    const passes = (run) => axes.every((axis, index) => {
      const range = kept.get(axis.name);
      if (!range) return true;
      const share = axis.place(field(run, axis.name));
      return share !== null && share >= range[0] - 1e-9 && share <= range[1] + 1e-9;
    });

    const lines = svg("g");
    runs.forEach((run, index) => {
      const points = shares(run).map((share, place) => (share === null || Number.isNaN(share) ? null : [atX(place), atY(share)]));
      let path = "";
      points.forEach((point, place) => {
        if (!point) return;
        const before = points[place - 1];
        const middle = before ? (before[0] + point[0]) / 2 : 0;
        path += before ? `C${middle} ${before[1]} ${middle} ${point[1]} ${point[0]} ${point[1]}` : `M${point[0]} ${point[1]}`;
      });
      const line = svg("path", { class: passes(run) ? "line" : "line out", d: path || "M0 0", stroke: hush.palette(index), "data-run-id": run.id });
      line.append(svg("title", {}, run.name));
      line.addEventListener("pointerenter", () => light(run.id));
      line.addEventListener("pointerleave", () => light(null));
      line.addEventListener("click", () => { location.href = run.address; });
      lines.append(line);
    });
    // What passes lies above what does not.
    for (const line of [...lines.querySelectorAll(".line:not(.out)")]) lines.append(line);
    picture.append(lines);

    axes.forEach((axis, index) => {
      const x = atX(index);
      picture.append(svg("line", { class: "axis", x1: x, x2: x, y1: top, y2: height - bottom }));
      const anchor = index === 0 ? "start" : index === axes.length - 1 ? "end" : "middle";
      const room = Math.max(6, Math.floor((width / axes.length) / 7));
      const label = svg("text", { class: "name", x: index === 0 ? 2 : index === axes.length - 1 ? width - 2 : x, y: 12, "text-anchor": anchor }, short(axis.name.slice(axis.name.indexOf(".") + 1), room));
      label.append(svg("title", {}, axis.name));
      picture.append(label);
      const last = index === axes.length - 1;
      for (const [share, text] of axis.ticks) picture.append(svg("text", { x: last ? x - 6 : x + 6, y: atY(share) + 3.5, "text-anchor": last ? "end" : "start" }, short(text, 12)));
      const range = kept.get(axis.name);
      if (range) picture.append(svg("rect", { class: "brush", x: x - 7, width: 14, y: atY(range[1]), height: Math.max(2, atY(range[0]) - atY(range[1])), rx: 3 }));
      const handle = svg("rect", { class: "handle", x: x - 14, width: 28, y: top - 6, height: height - top - bottom + 12 });
      handle.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        const box = element.getBoundingClientRect();
        const share = (at) => Math.min(1, Math.max(0, (height - bottom - (at.clientY - box.top)) / (height - top - bottom)));
        const first = share(event);
        const move = (at) => {
          const now = share(at);
          if (Math.abs(now - first) < 0.015) kept.delete(axis.name);
          else kept.set(axis.name, [Math.min(first, now), Math.max(first, now)]);
          show(element, chosen);
        };
        const end = (at) => {
          move(at);
          removeEventListener("pointermove", move);
          removeEventListener("pointerup", end);
        };
        addEventListener("pointermove", move);
        addEventListener("pointerup", end);
      });
      picture.append(handle);
    });
    element.replaceChildren(picture);
  };

  document.addEventListener("comparison", () => {
    const element = document.querySelector("#parallel");
    if (!element) return;
    const boxes = () => [...document.querySelectorAll("[data-axes] input")];
    const again = () => show(element, boxes().filter((box) => box.checked).map((box) => box.value));
    for (const box of boxes()) box.addEventListener("change", again);
    document.addEventListener("theme", again);
    new ResizeObserver(again).observe(element);
  });
})();
