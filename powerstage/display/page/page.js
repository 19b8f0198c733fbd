"use strict";
// Draws the charts, and counts tiles again for what is selected. All data are in the page.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("data"), specs = read("charts"), views = {};
  const rows = (columns) => {
    const names = Object.keys(columns);
    return names.length ? columns[names[0]].map((_, i) => Object.fromEntries(
      names.map((name) => [name, columns[name][i]]))) : [];
  };
  const utc = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const number = (value, digits = 0) => value.toLocaleString("en-US",
    { minimumFractionDigits: digits, maximumFractionDigits: digits });
  // 100 % only where nothing is lacking.
  const share = (part, whole) => whole
    ? `${number(part < whole ? Math.min(100 * part / whole, 99.9) : 100 * part / whole, 1)} %`
    : "none";
  const HOUR = 3600000;

  const ranks = Object.fromEntries(data.sites.map((site) => [site.site, site.rank]));
  const buckets = rows(data.buckets).map((row) => {
    const covered = row.power_expected ? row.power_readings / row.power_expected : 1;
    const isGap = covered < data.coverage_min;
    // The first and the last may be shorter.
    const start = Math.max(row.start, data.start);
    const end = Math.min(row.start + data.bucket_ms, data.end);
    return { ...row, start, end, when: utc(start), is_gap: isGap,
      label: row.site, rank: ranks[row.site],
      // Of less than that, a total would be drawn over a gap.
      mean_kw: isGap ? null : row.energy_kwh / ((end - start) / HOUR),
      mean: isGap ? "too few readings" : `${number(row.energy_kwh / ((end - start) / HOUR), 1)} kW`,
      received: `${number(row.power_readings)} of ${number(row.power_expected)}` };
  }).filter((row) => row.start < row.end);
  // A step lasts until its end, whatever comes then.
  const steps = buckets.flatMap((row, i) => {
    const next = buckets[i + 1];
    const goesOn = next && next.site === row.site && next.start === row.end && !next.is_gap;
    return row.is_gap || goesOn ? [row]
      : [row, { ...row, start: row.end - 1 }, { ...row, start: row.end, mean_kw: null }];
  });
  const deliveries = rows(data.deliveries);
  const spans = (list, length) => list.map((row) => ({ ...row, end: row.start + length,
    when: utc(row.start) }));
  const sets = {
    buckets: steps,
    top: data.top,
    points: rows(data.points),
    runs: data.runs.map((run) => ({ ...run, when: utc(run.start), last: utc(run.end) })),
    failures: spans(data.failures, data.period_ms),
    holes: spans(rows(data.holes), data.worst_bucket_ms).map((hole) => ({ ...hole,
      site: data.site_of[hole.device], percent: 100 * hole.readings / hole.expected,
      received: `${number(hole.readings)} of ${number(hole.expected)}` })),
  };

  const site = document.getElementById("site");
  const since = document.getElementById("since"), until = document.getElementById("until");
  const moment = (input, otherwise) => {
    const ms = input.value ? Date.parse(`${input.value}Z`) : NaN;
    return Number.isNaN(ms) ? otherwise : ms;
  };
  // They are counted from a midnight, not from the first delivery.
  const first = (data.buckets.start || [data.start]).reduce((one, other) => Math.min(one, other));
  // Whole buckets: what is counted is what is drawn.
  const chosen = () => {
    const whole = (ms, round) => first + round((ms - first) / data.bucket_ms) * data.bucket_ms;
    const from = Math.max(whole(moment(since, data.start), Math.floor), data.start);
    const to = Math.min(whole(moment(until, data.end), Math.ceil), data.end);
    const isEmpty = from >= to;
    return { site: site.value, since: isEmpty ? data.start : from, until: isEmpty ? data.end : to,
      isEmpty };
  };

  const text = (id, words) => { document.getElementById(id).textContent = words; };
  const whole = Object.fromEntries([...document.querySelectorAll("[data-tile]")].map(
    (tile) => [tile.id, tile.textContent]));
  const tiles = (choice) => {
    const isAll = !choice.site && choice.since <= data.start && choice.until >= data.end;
    text("scope", choice.isEmpty ? "There is nothing in that time: all of it is shown."
      : isAll ? "" : `Tiles and charts are of ${choice.site || "all sites"}, ${utc(choice.since)} to `
      + `${utc(choice.until)} UTC. Idle devices, top consumers and utilisation are of all of the `
      + "time; words, tables and lists of everything.");
    if (isAll) {
      for (const id of Object.keys(whole)) { text(id, whole[id]); }
      return;
    }
    const within = (row) => row.start < choice.until && row.end > choice.since;
    const sum = (list, name) => list.reduce((total, row) => total + row[name], 0);
    const some = buckets.filter((row) => within(row) && (!choice.site || row.site === choice.site));
    const energy = sum(some, "energy_kwh");
    const lengths = Object.fromEntries(some.map((row) => [row.start, row.end - row.start]));
    const length = Object.values(lengths).reduce((total, ms) => total + ms, 0) / HOUR;
    const covered = sum(some, "power_readings") / sum(some, "power_expected");
    const sites = data.sites.filter((known) => !choice.site || known.site === choice.site);
    const delivered = deliveries.filter((row) => row.start < choice.until
      && row.start + data.period_ms > choice.since);
    if (whole["tile-energy"]) {
      text("tile-energy", `${number(energy, energy < 1000 ? 1 : 0)} kWh`);
      text("tile-power", covered ? `${number(energy / length / covered, 1)} kW` : "–");
    }
    if (whole["tile-idle"]) {
      text("tile-idle", `${number(sum(sites, "idle_devices"))} of ${number(sum(sites, "devices"))}`);
      text("tile-idle-energy", `${number(sum(sites, "idle_energy_kwh"), 1)} kWh`);
    }
    text("tile-readings", share(sum(some, "readings"), sum(some, "expected")));
    text("tile-deliveries", `${number(delivered.filter((row) => row.accepted).length)} of `
      + number(delivered.length));
  };

  const show = () => {
    const choice = chosen();
    tiles(choice);
    for (const view of Object.values(views)) {
      for (const name of ["site", "since", "until"]) { view.signal(name, choice[name]); }
      view.runAsync();
    }
    sessionStorage.setItem("choice", JSON.stringify([site.value, since.value, until.value]));
  };

  const NARROW = 520;
  const MARGIN = { power: 60, top: 190, load: 70, deliveries: 95, checks: 350, coverage: 115 };
  const draw = async (id, spec) => {
    const place = document.getElementById(id);
    if (!place) { return; }
    const inner = spec.spec || spec, isNarrow = place.clientWidth < NARROW;
    const margin = isNarrow && id === "checks" ? 190 : MARGIN[id];
    inner.width = Math.max(120, place.clientWidth - margin);
    if (id === "checks") { spec.encoding.y.axis.labelLimit = isNarrow ? 170 : 330; }
    spec.config.legend.columns = isNarrow ? 3 : undefined;
    const choice = chosen();
    for (const param of spec.params || []) {
      if (param.name in choice) { param.value = choice[param.name]; }
    }
    spec.datasets = { ...spec.datasets, ...sets };
    const result = await vegaEmbed(place, spec, { renderer: "svg", actions: false,
      logLevel: vega.Error,
      tooltip: { theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light" } });
    views[id] = result.view;
    result.view.addEventListener("click", (_, item) => {
      if (item && item.datum && item.datum.look) { location.hash = item.datum.look; }
    });
  };
  const drawAll = () => Promise.all(Object.entries(specs).map(([id, spec]) => draw(id, spec)))
    .then(() => { document.body.dataset.drawn = Object.keys(views).length; });

  const open = () => {
    const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (found && found.tagName === "DETAILS") { found.open = true; found.scrollIntoView(); }
  };

  try {
    [site.value, since.value, until.value] = JSON.parse(sessionStorage.getItem("choice"));
    if (site.selectedIndex < 0) { site.value = ""; }
  } catch { /* Nothing was chosen yet. */ }
  for (const input of [site, since, until]) { input.addEventListener("change", show); }
  site.form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("all").addEventListener("click", () => {
    site.value = since.value = until.value = "";
    show();
  });
  addEventListener("hashchange", open);
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) { one.open = true; }
  });
  addEventListener("afterprint", () => { for (const one of closed) { one.open = false; } });
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) { return; }
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 150);
  });
  drawAll().then(() => tiles(chosen())).then(open);

  const live = document.body.dataset.live;
  if (live) {
    setInterval(async () => {
      const answer = await fetch("state").catch(() => null);
      if (answer && answer.ok && (await answer.text()) !== live) { location.reload(); }
    }, 2000);
  }
})();
