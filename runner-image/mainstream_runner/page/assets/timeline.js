// Events as intervals: collected from start and end records, drawn on a row for each app.
import { byId, clock, element, said, short } from "./dom.js";

const WINDOW_SECONDS = 600;
const KEPT = 500;
const LISTED = 60;

export class Events {
  constructor() {
    this.known = new Map();
  }

  // A record: the first of an event says when it began, its last one when it was over.
  take(record) {
    const decided = Date.parse(record.time);
    const since = (seconds) => decided - 1000 * (Number(record.streamSeconds) - Number(seconds));
    const event = this.known.get(record.event) ?? { app: record.app, stream: record.stream, open: true };
    event.label = record.label;
    event.startTime = since(record.startSeconds);
    if (record.kind === "ended") {
      event.endTime = since(record.endSeconds);
      event.open = false;
      event.reason = record.reason;
    }
    this.known.set(record.event, event);
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
  }

  // In the order in which they began.
  all() {
    return [...this.known.values()].sort((one, other) => one.startTime - other.startTime);
  }

  clear() {
    this.known.clear();
  }
}

// ``apps`` are [{app, stream}], drawn stream by stream.
export function showTimeline(box, apps, events, now) {
  const newest = Math.max(now, ...events.map((event) => event.endTime ?? event.startTime));
  const from = newest - 1000 * WINDOW_SECONDS;
  const shown = events.filter((event) => event.open || event.endTime >= from);
  const rows = [];
  let stream = null;
  for (const one of apps) {
    if (one.stream !== stream) rows.push(element("h3", {}, one.stream));
    stream = one.stream;
    rows.push(element("span", { class: "who", title: one.app }, short(one.app)), track(one.app, shown, from, newest));
  }
  const axis = element("div", { class: "axis", "aria-hidden": "true" });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const tick = element("span", {}, clock(from + part * (newest - from)));
    tick.style.left = `${100 * part}%`;
    axis.append(tick);
  }
  box.replaceChildren(...rows, axis);
}

export function showEvents(box, events) {
  byId("no-events").hidden = events.length > 0;
  box.replaceChildren(...events.slice(-LISTED).reverse().map(item));
}

function track(app, events, from, until) {
  const place = (time) => (100 * (Math.max(time, from) - from)) / (until - from);
  const mine = events.filter((event) => event.app === app);
  const row = element("div", { class: "track", role: "img", "aria-label": `${app}: ${mine.length} events` });
  for (const event of mine) {
    const end = event.open ? until : event.endTime;
    const text = `${event.label}, ${clock(event.startTime)} ${event.open ? "and goes on" : `to ${clock(event.endTime)}`}`;
    const bar = element("span", { class: event.open ? "open" : "", title: text });
    bar.style.left = `${place(event.startTime)}%`;
    bar.style.width = `${place(end) - place(event.startTime)}%`;
    row.append(bar);
  }
  return row;
}

function item(event) {
  const seconds = event.open ? null : (event.endTime - event.startTime) / 1000;
  const what = element("div", {}, element("b", { title: event.app }, said(event)), " ");
  if (event.open) what.append(element("span", { class: "tag" }, "goes on"));
  what.append(element("p", { class: "quiet number" }, `${event.stream}${seconds === null ? "" : ` · ${seconds.toFixed(1)} s`}`));
  return element("li", {}, element("time", { class: "number", datetime: new Date(event.startTime).toISOString() }, clock(event.startTime)), what);
}
