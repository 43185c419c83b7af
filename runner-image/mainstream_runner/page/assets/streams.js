// A card for each stream: its picture, how it stands, its last events.
import { age, clock, element, rate, said } from "./dom.js";

const PICTURE_MILLISECONDS = 1000;
const cards = new Map();
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.target.dataset.visible = entry.isIntersecting ? "yes" : "";
});

const PHASES = {
  Connected: ["Connected", "good"],
  Connecting: ["Connecting", "warn"],
  Stalled: ["Stalled", "bad"],
  Unreachable: ["Unreachable", "bad"],
  CredentialsRejected: ["Credentials rejected", "bad"],
  Ended: ["Ended", ""],
};

export function showStreams(box, streams, events) {
  for (const [name, card] of cards) {
    if (!streams.some((stream) => stream.name === name)) {
      card.root.remove();
      seen.unobserve(card.root);
      cards.delete(name);
    }
  }
  for (const stream of streams) {
    if (!cards.has(stream.name)) {
      const card = makeCard(stream.name);
      cards.set(stream.name, card);
      box.append(card.root);
      seen.observe(card.root);
    }
    fill(cards.get(stream.name), stream, events);
  }
}

function makeCard(name) {
  const picture = element("div", { class: "picture" }, "no picture yet");
  const image = element("img", { alt: `Newest picture of stream ${name}` });
  const phase = element("span", { class: "pill" });
  const facts = element("p", { class: "quiet number" });
  const message = element("p", { class: "warn" });
  const last = element("div", { class: "last" });
  const head = element("div", { class: "head" }, element("h3", {}, name), phase);
  const root = element("article", { class: "card" }, picture, element("div", { class: "body" }, head, facts, message, last));
  return { root, picture, image, phase, facts, message, last, name };
}

function fill(card, stream, events) {
  const [label, kind] = PHASES[stream.phase] ?? [stream.phase, ""];
  card.phase.textContent = label;
  card.phase.className = `pill ${kind}`;
  const size = stream.width ? `${stream.width} × ${stream.height} · ` : "";
  card.facts.textContent = `${size}${rate(stream.captureFps)} · frame ${age(stream.lastFrameAgeSeconds)} · ${stream.source}`;
  card.picture.classList.toggle("stale", !["Connected", "Ended"].includes(stream.phase));
  const problems = [];
  if (stream.phase !== "Connected" && stream.message) problems.push(stream.message);
  if (stream.rateToWrite) problems.push(`CaptureRateMismatch: write captureFps: "${stream.rateToWrite}"`);
  if (stream.corruptPackets) problems.push(`${stream.corruptPackets} packets could not be decoded`);
  card.message.textContent = problems.join(" · ");
  const mine = events.filter((event) => event.stream === stream.name).slice(-3).reverse();
  card.last.hidden = mine.length === 0;
  card.last.replaceChildren(
    ...mine.map((event) => element("span", {}, `${clock(event.startTime)} ${said(event)}`, event.open ? " · goes on" : "")),
  );
}

async function refresh() {
  if (!document.hidden) {
    for (const card of cards.values()) if (card.root.dataset.visible && !card.loading) load(card);
  }
  setTimeout(refresh, PICTURE_MILLISECONDS);
}

async function load(card) {
  card.loading = true;
  try {
    const width = Math.min(1280, Math.ceil(card.root.clientWidth * Math.min(2, devicePixelRatio)));
    const answer = await fetch(`api/streams/${encodeURIComponent(card.name)}/picture?width=${width}`);
    if (answer.ok) {
      const old = card.image.src;
      card.image.src = URL.createObjectURL(await answer.blob());
      await card.image.decode();
      URL.revokeObjectURL(old);
      if (!card.image.parentNode) card.picture.replaceChildren(card.image);
    }
  } catch {
    // The feed says that the connection is lost; the old picture stays.
  } finally {
    card.loading = false;
  }
}

refresh();
