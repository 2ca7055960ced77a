// Drawing curves with uPlot: colours of the page, smoothing, three ways to measure the way along.
"use strict";
window.hush = window.hush ?? {};
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const palette = (index) => colour(`--c${index % 10}`);

  /// A value as the server writes it: six digits at most.
  const number = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? value.toExponential(4).replace(/\.?0+e/, "e").replace("e+", "e")
      : String(Number(value.toPrecision(6)));
    return text.replaceAll("-", "−");
  };

  /// Exponential moving average that begins without a bias and leaves gaps as they are.
  const smoothed = (values, weight) => {
    if (weight <= 0) return values;
    let sum = 0;
    let count = 0;
    return values.map((value) => {
      if (value === null) return null;
      sum = sum * weight + value * (1 - weight);
      count = count * weight + (1 - weight);
      return sum / count;
    });
  };

  /// Places along the way: steps, seconds since the curve began, or seconds since 1970.
  const places = (curve, axis) => {
    if (axis === "times") return curve.times.map((time) => time / 1000);
    if (axis === "elapsed") return curve.times.map((time) => (time - curve.times[0]) / 1000);
    return curve.steps;
  };

  /// Curves over one axis, as uPlot takes them. Points go in order of the axis.
  const table = (curves, view) => {
    const one = (curve) => {
      const x = places(curve, view.axis);
      const order = x.map((_, index) => index).sort((a, b) => x[a] - x[b] || a - b);
      const values = view.logarithmic ? curve.values.map((value) => (value !== null && value > 0 ? value : null)) : curve.values;
      return [order.map((index) => x[index]), smoothed(order.map((index) => values[index]), view.smooth)];
    };
    const tables = curves.map(one);
    return tables.length === 1 ? tables[0] : uPlot.join(tables, tables.map((part) => part.slice(1).map(() => 2)));
  };

  const seconds = (value) => {
    const size = Math.abs(value);
    if (size < 120) return `${Number(value.toPrecision(3))} s`;
    if (size < 7200) return `${Math.round(value / 6) / 10} min`;
    return `${Math.round(value / 360) / 10} h`;
  };

  /// Draws curves into an element, anew if it held some.
  const draw = (element, curves, view, options = {}) => {
    const finite = curves.filter((curve) => curve.values.some((value) => value !== null));
    element.chart?.destroy();
    element.chart = null;
    element.replaceChildren();
    if (finite.length === 0) {
      const none = document.createElement("div");
      none.className = "none";
      none.textContent = "no finite value";
      element.append(none);
      return;
    }
    const data = table(finite, view);
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1, size: 4 }, font: "11px system-ui, sans-serif" };
    const single = data[0].length === 1;
    const series = finite.map((curve, index) => ({
      label: curve.label ?? curve.key ?? curve.run,
      stroke: palette(curve.colour ?? index),
      width: 1.6,
      spanGaps: finite.length > 1,
      points: { show: single || undefined, size: 5 },
    }));
    const chart = new uPlot({
      width: Math.max(120, element.clientWidth),
      height: element.clientHeight,
      padding: [8, 6, 0, 0],
      cursor: { sync: options.sync ? { key: options.sync } : undefined, points: { size: 6 }, drag: { x: true, y: false } },
      legend: { show: false },
      scales: { x: { time: view.axis === "times" }, y: { distr: view.logarithmic ? 3 : 1 } },
      axes: [
        { ...axis, size: 30, gap: 3, ...(view.axis === "elapsed" ? { values: (_, ticks) => ticks.map(seconds) } : {}) },
        { ...axis, size: (_, values) => 16 + 6.4 * Math.max(3, ...(values ?? []).map((value) => String(value ?? "").length)), gap: 3, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) },
      ],
      series: [{}, ...series],
      hooks: {
        setCursor: [(plot) => options.cursor?.(plot, finite)],
      },
    }, data, element);
    element.chart = chart;
  };

  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const chart = target.chart;
      if (chart && target.clientWidth > 0 && Math.abs(chart.width - target.clientWidth) > 1) chart.setSize({ width: target.clientWidth, height: target.clientHeight });
    }
  });

  /// Asks for JSON; an answer that is none (the session ended, the run went away) is nothing.
  const ask = async (address) => {
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (!answer.ok || !(answer.headers.get("content-type") ?? "").startsWith("application/json")) return null;
    return answer.json();
  };

  /// The controls of a view, and a call whenever they change.
  const view = (root, changed) => {
    const axis = root.querySelector("[data-axis]");
    const smooth = root.querySelector("[data-smooth]");
    const logarithmic = root.querySelector("[data-logarithmic]");
    for (const control of [axis, smooth, logarithmic]) control?.addEventListener("input", () => changed());
    return () => ({ axis: axis?.value ?? "steps", smooth: Number(smooth?.value ?? 0), logarithmic: logarithmic?.checked ?? false });
  };

  Object.assign(window.hush, { colour, palette, number, draw, ask, view, watchSize: (element) => resized.observe(element) });
})();
