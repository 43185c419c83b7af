// Keeps the page up to date from the feed.
import { byId, count, element, percent } from "./dom.js";
import { showStreams } from "./streams.js";
import { Events, showEvents, showTimeline } from "./timeline.js";
import { showStems } from "./tree.js";

const SILENT_MILLISECONDS = 6000;
const events = new Events();
let state = null;
let heard = 0;

function connect() {
  const feed = new EventSource("api/feed");
  feed.addEventListener("run", () => events.clear());
  feed.addEventListener("event", (message) => {
    events.take(JSON.parse(message.data));
    if (state) showAll();
  });
  feed.addEventListener("state", (message) => {
    state = JSON.parse(message.data);
    heard = Date.now();
    showAll();
  });
  feed.addEventListener("error", () => {
    // The browser connects again by itself, except where it was refused: then the token has changed, or there are too many.
    if (feed.readyState === EventSource.CLOSED) setTimeout(again, 3000);
    showStatus();
  });
}

async function again() {
  try {
    const answer = await fetch("api/state");
    if (answer.status === 401) return location.reload();
  } catch {
    // Still away.
  }
  connect();
}

function showAll() {
  const all = events.all();
  showHead();
  showStreams(byId("streams"), state.streams, all);
  const apps = state.stems.flatMap((stem) => stem.apps.map((app) => ({ app: app.app, stream: stem.stream })));
  apps.sort((one, other) => one.stream.localeCompare(other.stream) || one.app.localeCompare(other.app));
  showTimeline(byId("timeline"), apps, all, Date.parse(state.now));
  showEvents(byId("events"), all);
  showStems(byId("stems"), state.stems, state.budget);
  showSinks();
}

function showHead() {
  const node = state.edgeNode ?? "Mainstream";
  byId("node").textContent = node;
  document.title = `${node} · Mainstream`;
  const apps = state.stems.reduce((sum, stem) => sum + stem.apps.length, 0);
  byId("facts").textContent = state.schedule
    ? `${count(apps)} apps on ${count(state.streams.length)} streams · ${state.engine}, ${state.threads} threads · ` +
      `schedule ${state.schedule.slice(7, 19)}, since ${new Date(state.started).toLocaleString("en-GB")}`
    : "no schedule is loaded";
  byId("cost").hidden = !state.schedule;
  // The meter's end is the whole of the engine's time or, if more is measured, that.
  const whole = Math.max(1, state.measuredCost);
  document.querySelector(".meter .planned").style.width = `${(100 * state.plannedCost) / whole}%`;
  document.querySelector(".meter .measured").style.width = `${(100 * state.measuredCost) / whole}%`;
  byId("cost-text").textContent =
    `engine busy: ${percent(state.plannedCost)} planned, ${percent(state.measuredCost)} measured over the last minute, ` +
    `${percent(state.budget)} is the budget`;
  const notes = [...(state.refused ? [`The newest schedule is refused: ${state.refused}. The old one runs on.`] : [])];
  notes.push(...state.reasons, ...state.notes.filter((note) => !note.startsWith("the newest schedule is refused")));
  byId("notes").hidden = notes.length === 0;
  byId("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
  showStatus();
}

function showStatus() {
  const pill = byId("status");
  const [text, kind] = status();
  if (pill.textContent !== text) pill.textContent = text; // set only on a change: it is read aloud
  pill.className = `pill ${kind}`;
}

function status() {
  if (!state) return ["Connecting", ""];
  if (Date.now() - heard > SILENT_MILLISECONDS) return ["Connection lost: the figures are old", "bad"];
  if (state.refused) return ["Running; new schedule refused", "warn"];
  if (!state.ready) return ["Not ready", "bad"];
  return ["Running", "good"];
}

function showSinks() {
  byId("sinks-section").hidden = state.sinks.length === 0;
  byId("sinks").replaceChildren(
    ...state.sinks.map((sink) => {
      const figures = `${count(sink.queued)} waiting · ${count(sink.delivered)} delivered · ${count(sink.dropped)} dropped`;
      return element(
        "li",
        {},
        element("h3", {}, `${sink.app} → ${sink.sink}`),
        element("p", { class: "quiet number" }, `${sink.connected ? "connected" : "not connected"} · ${figures}`),
        sink.message ? element("p", { class: sink.connected ? "quiet" : "bad" }, sink.message) : null,
      );
    }),
  );
}

connect();
setInterval(showStatus, 1000);
