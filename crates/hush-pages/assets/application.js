// What every page does beyond links and forms: keys, selection, copying, light and dark.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // Clients of MLflow print addresses of its own pages; they lead to ours.
  const elsewhere = location.hash.match(/^#\/(?:experiments\/([^/?]+)(?:\/runs\/([^/?]+))?|models\/([^/?]+)(?:\/versions\/([^/?]+))?)/);
  if (elsewhere) {
    const [, experiment, run, model, version] = elsewhere;
    const piece = (text) => encodeURIComponent(decodeURIComponent(text));
    if (run) location.replace("/runs/" + piece(run));
    else if (experiment) location.replace("/experiments/" + piece(experiment));
    else location.replace("/models/" + piece(model) + (version ? "/versions/" + piece(version) : ""));
  }

  // Light or dark: the choice is a cookie, so that the server writes pages in it from the first byte.
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const tellTheme = () => document.dispatchEvent(new CustomEvent("theme"));
  const switchTheme = () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `hush_theme=${theme}; path=/; max-age=31536000; samesite=lax`;
    tellTheme();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellTheme);

  // A word at the bottom of the page.
  let forget;
  const say = (text) => {
    const toast = one(".toast");
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(forget);
    forget = setTimeout(() => { toast.hidden = true; }, 1800);
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages that come without TLS may not use the clipboard's interface.
      const area = document.createElement("textarea");
      area.value = text;
      area.setAttribute("readonly", "");
      area.className = "unseen";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say("Copied");
  };

  const help = () => {
    const dialog = one("#keys");
    if (dialog.open) dialog.close();
    else dialog.showModal();
  };

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    const button = target.closest("[data-copy]");
    if (button) return void copy(button.dataset.copy);
    if (target.closest("[data-theme-switch]")) return switchTheme();
    if (target.closest("[data-help]")) return help();
    if (target === one("#keys")) return one("#keys").close();
    for (const open of all("details.popover[open]")) if (!open.contains(target)) open.open = false;
  });

  // What cannot be taken back is asked for twice.
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  }, true);

  // Lists of choices, narrowed by what is typed above them.
  document.addEventListener("input", (event) => {
    const field = event.target.closest?.("[data-narrow]");
    if (!field) return;
    event.stopPropagation();
    const wanted = field.value.toLowerCase();
    for (const label of all("fieldset label", field.parentElement)) label.hidden = !label.textContent.toLowerCase().includes(wanted);
  }, true);
  document.addEventListener("change", (event) => {
    if (event.target.closest?.("[data-narrow]")) event.stopPropagation();
  }, true);

  // Runs that are selected, over all pages of the table, for as long as the tab is open.
  const kept = (form) => "selected:" + form.dataset.selection;
  const selected = (form) => new Set(JSON.parse(sessionStorage.getItem(kept(form)) ?? "[]"));
  const keep = (form, chosen) => sessionStorage.setItem(kept(form), JSON.stringify([...chosen]));
  const boxes = (form) => all("tbody input[name=run]", form);
  const showSelection = (form) => {
    const chosen = selected(form);
    for (const box of boxes(form)) box.checked = chosen.has(box.value);
    for (const hidden of all("input[data-elsewhere]", form)) hidden.remove();
    const here = new Set(boxes(form).map((box) => box.value));
    for (const run of chosen) {
      if (here.has(run)) continue;
      const hidden = document.createElement("input");
      Object.assign(hidden, { type: "hidden", name: "run", value: run });
      hidden.dataset.elsewhere = "";
      form.append(hidden);
    }
    const count = chosen.size;
    one("[data-selected]", form).textContent = count === 0 ? "Select runs to compare them" : `${count} selected`;
    one("[data-compare]", form).disabled = count < 2;
    for (const button of all("[data-needs-selection]", form)) button.disabled = count === 0;
    one("[data-clear-selection]", form).hidden = count === 0;
    const every = one("[data-select-all]", form);
    if (every) {
      const checked = boxes(form).filter((box) => box.checked).length;
      every.checked = checked > 0 && checked === boxes(form).length;
      every.indeterminate = checked > 0 && !every.checked;
    }
  };
  const choose = (form, changed, wanted) => {
    const chosen = selected(form);
    for (const box of changed) if (wanted) chosen.add(box.value); else chosen.delete(box.value);
    keep(form, chosen);
    showSelection(form);
  };
  let lastBox = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("[data-selection] tbody input[name=run]");
    if (box) {
      const form = box.form;
      const list = boxes(form);
      const [from, to] = [list.indexOf(lastBox), list.indexOf(box)];
      const range = event.shiftKey && from >= 0 ? list.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
      choose(form, range, box.checked);
      lastBox = box;
      return;
    }
    const every = event.target.closest?.("[data-select-all]");
    if (every) return choose(every.form, boxes(every.form), every.checked);
    const clear = event.target.closest?.("[data-clear-selection]");
    if (clear) {
      keep(clear.form, new Set());
      showSelection(clear.form);
    }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches?.("[data-selection]")) return;
    if (event.submitter?.formMethod === "post") {
      if (!event.defaultPrevented) keep(form, new Set());
      return;
    }
    // Only runs belong into the address of a comparison.
    for (const field of all("input[type=hidden]:not([name=run])", form)) field.disabled = true;
    setTimeout(() => { for (const field of all("input[type=hidden]", form)) field.disabled = false; });
  });
  const begin = (root = document) => {
    for (const form of all("[data-selection]", root)) showSelection(form);
    for (const mark of all("[data-colour]", root)) mark.style.background = `var(--c${Number(mark.dataset.colour) % 10})`;
    current = -1;
  };

  // Rows by keys.
  let current = -1;
  const rows = () => all("[data-rows] tbody tr");
  const goTo = (step) => {
    const list = rows();
    if (list.length === 0) return;
    list[current]?.classList.remove("current");
    current = Math.max(0, Math.min(list.length - 1, current + step));
    const row = list[current];
    row.classList.add("current");
    row.scrollIntoView({ block: "nearest" });
    one("th a, a", row)?.focus({ preventScroll: true });
  };
  const follow = (selector) => { const link = one(selector); if (link) link.click(); };

  let afterG = 0;
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest?.("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
    if (event.key === "Escape") {
      for (const open of all("details.popover[open]")) { open.open = false; one("summary", open).focus(); }
      if (field) field.blur();
      return;
    }
    if (field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (Date.now() - afterG < 1200) {
      const link = one(`[data-go="${CSS.escape(event.key)}"]`);
      afterG = 0;
      if (link) { event.preventDefault(); link.click(); return; }
    }
    const actions = {
      "/": () => { const search = one("[data-search]"); search?.focus(); search?.select?.(); },
      "?": help,
      t: switchTheme,
      j: () => goTo(1),
      k: () => goTo(current < 0 ? 1 : -1),
      x: () => one("input[name=run]", rows()[current] ?? document.createElement("i"))?.click(),
      c: () => { const compare = one("[data-compare]"); if (compare && !compare.disabled) compare.click(); },
      "[": () => follow("[data-previous]"),
      "]": () => follow("[data-next]"),
      g: () => { afterG = Date.now(); },
    };
    const action = actions[event.key];
    if (!action || one("#keys").open && event.key !== "?") return;
    event.preventDefault();
    action();
  });

  document.addEventListener("htmx:afterSwap", () => begin());
  // Pages that were left are not kept; what is shown after going back is asked for again.
  addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
  document.addEventListener("DOMContentLoaded", () => begin());
})();
