// The plots of a run: each is asked for when it comes near the screen, and again while the run goes on.
"use strict";
(() => {
  const { hush } = window;

  const ofRun = (root) => {
    const here = root.dataset.run;
    const figures = [...root.querySelectorAll("figure.chart")];
    const controls = root.querySelector("[data-controls]");
    if (controls) controls.hidden = false;
    const curves = new Map();
    const near = new Set();
    const stale = new Set();
    const view = controls ? hush.view(controls, () => { for (const figure of near) show(figure); for (const figure of figures) if (!near.has(figure)) stale.add(figure); }) : () => ({ axis: "steps", smooth: 0, logarithmic: false });

    const value = (figure) => figure.querySelector(".value");
    const show = (figure) => {
      const curve = curves.get(figure.dataset.key);
      if (!curve) return;
      stale.delete(figure);
      hush.draw(figure.querySelector(".plot"), [curve], view(), {
        sync: "run",
        cursor: (plot) => {
          const index = plot.cursor.idx;
          const at = index === null || index === undefined ? null : plot.data[1][index];
          value(figure).textContent = at === null || at === undefined ? figure.dataset.newest : hush.number(at);
        },
      });
    };

    // Those that come near the screen within a moment are asked for together.
    let wanted = new Set();
    let timer = null;
    const flush = async () => {
      timer = null;
      const batch = [...wanted].slice(0, 12);
      for (const figure of batch) wanted.delete(figure);
      if (wanted.size > 0) timer = setTimeout(flush, 0);
      const query = new URLSearchParams(batch.map((figure) => ["key", figure.dataset.key]));
      const answer = await hush.ask(`${here}/curves?${query}`);
      for (const curve of answer?.curves ?? []) curves.set(curve.key, curve);
      for (const figure of batch) show(figure);
    };
    const want = (figure) => {
      wanted.add(figure);
      timer ??= setTimeout(flush, 20);
    };

    const watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) { near.delete(target); continue; }
        near.add(target);
        if (!curves.has(target.dataset.key)) want(target);
        else if (stale.has(target)) show(target);
      }
    }, { rootMargin: "240px" });
    for (const figure of figures) {
      figure.dataset.newest = value(figure).textContent;
      hush.watchSize(figure.querySelector(".plot"));
      watch.observe(figure);
    }

    root.querySelector("[data-find-chart]")?.addEventListener("input", (event) => {
      const text = event.target.value.toLowerCase();
      for (const figure of figures) figure.hidden = !figure.dataset.key.toLowerCase().includes(text);
      for (const group of root.querySelectorAll("[data-group]")) group.hidden = !group.querySelector("figure:not([hidden])");
    });
    document.addEventListener("theme", () => { for (const figure of near) show(figure); for (const figure of figures) if (!near.has(figure)) stale.add(figure); });

    // A run that goes on is asked how it does; only plots whose metric went on are asked for again.
    if (!root.hasAttribute("data-live")) return;
    const newest = new Map();
    const byName = new Map([...root.querySelectorAll("[data-value]")].map((row) => [row.dataset.value, row]));
    const beat = async () => {
      if (document.hidden) return setTimeout(beat, 2000);
      const pulse = await hush.ask(`${here}/pulse`).catch(() => null);
      if (!pulse) return setTimeout(beat, 10000);
      const took = document.querySelector("[data-took]");
      if (took) took.textContent = pulse.took;
      let unknown = false;
      for (const [key, [text, step, time]] of Object.entries(pulse.metrics)) {
        const mark = `${text} ${step} ${time}`;
        const before = newest.get(key);
        newest.set(key, mark);
        const row = byName.get(key);
        if (!row) unknown = true;
        if (before === mark || !row) continue;
        row.querySelector(".newest").textContent = text;
        row.querySelector(".step").textContent = step;
        const figure = figures.find((other) => other.dataset.key === key);
        if (!figure) { unknown ||= before !== undefined; continue; }
        figure.dataset.newest = text;
        value(figure).textContent = text;
        if (before === undefined && curves.has(key)) continue;
        curves.delete(key);
        if (near.has(figure)) want(figure);
      }
      // The run ended, or has metrics that the page does not know: the page itself changes.
      if (!pulse.running || unknown) return location.reload();
      setTimeout(beat, 2000);
    };
    setTimeout(beat, 1500);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const run = document.querySelector("[data-run]");
    if (run) ofRun(run);
  });
})();
