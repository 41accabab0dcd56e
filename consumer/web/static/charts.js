// The two charts over time, drawn by uPlot. Lines differ in their dashes, too.

const MINUTES = 10;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const marker = (dash) => (dash.length === 0 ? "solid" : dash[0] < 4 ? "dotted" : "dashed");
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);

const EVENTS = [
  ["scored", "scored", "--accent", []],
  ["taken", "taken", "--teal", [2, 3]],
  ["late", "late, not scored", "--warn", [8, 4]],
  ["duplicates", "repeated", "--violet", [10, 3, 2, 3]],
  ["dead_letters", "unreadable", "--bad", [4, 4]],
];
const LATENCY = [
  ["latency_p50_s", "half are faster than", "--accent", [], 1000],
  ["latency_p99_s", "99 of 100 are faster than", "--warn", [8, 4], 1000],
];

export class Charts {
  constructor(events, latency) {
    this.places = [[events, EVENTS], [latency, LATENCY]];
    this.points = [];
    this.plots = [];
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.resize()).observe(events);
  }

  add(points) {
    const last = this.points.at(-1)?.at_ms ?? 0;
    this.points.push(...points.filter((point) => point.at_ms > last));
    const since = (this.points.at(-1)?.at_ms ?? 0) - MINUTES * 60_000;
    this.points = this.points.filter((point) => point.at_ms >= since);
    if (!this.plots.length && this.points.length > 1) this.draw();
    this.plots.forEach((plot, index) => plot.setData(this.columns(this.places[index][1])));
  }

  columns(lines) {
    const value = (point, name, factor) => (point[name] === null ? null : point[name] * factor);
    return [
      this.points.map((point) => point.at_ms / 1000),
      ...lines.map(([name, , , , factor = 1]) => this.points.map((point) => value(point, name, factor))),
    ];
  }

  draw() {
    this.plots.forEach((plot) => plot.destroy());
    if (this.points.length < 2) return;
    this.plots = this.places.map(([place, lines]) => {
      const data = this.columns(lines);
      const axis = { stroke: css("--soft"), grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
      return new uPlot({
        ...this.size(place),
        cursor: { points: { size: 7 }, drag: { x: false, y: false } },
        scales: { y: { range: (_, low, high) => [0, Math.max(1, (high ?? 1) * 1.1)] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 52 }],
        series: [{ label: "at", value: (_, at) => (at === null ? "" : clock(at)) },
          ...lines.map(([, label, colour, dash]) => ({
            label, stroke: css(colour), width: 2, dash, points: { show: false },
            value: (_, number) => (number === null ? "–" : Number(number.toPrecision(3)).toLocaleString("en")),
          }))],
        legend: { live: true, markers: { dash: (_, index) => marker(lines[index - 1][3]) } },
      }, data, place);
    });
  }

  size(place) {
    return { width: Math.max(240, place.clientWidth), height: 200 };
  }

  resize() {
    this.plots.forEach((plot, index) => plot.setSize(this.size(this.places[index][0])));
  }
}
