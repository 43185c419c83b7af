// Elements and numbers as text. Whatever comes from manifests, cameras or events is set as text, never as markup.

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

export const count = (number) => (number ?? 0).toLocaleString("en");

export const percent = (ratio) => `${(100 * (ratio ?? 0)).toFixed(1)} %`;

export const rate = (fps) => `${Number((fps ?? 0).toFixed(fps < 1 ? 2 : 1))} fps`;

export function age(seconds) {
  if (seconds === null || seconds === undefined) return "no frame yet";
  if (seconds < 10) return `${seconds.toFixed(1)} s ago`;
  if (seconds < 100) return `${Math.round(seconds)} s ago`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

export const clock = (text) => new Date(text).toLocaleTimeString("en-GB");

// "traffic/red-car" is "red-car" to who knows the node; the namespace stays for who asks (title).
export const short = (app) => app.slice(app.indexOf("/") + 1);

// An event in words: an app that knows one label is often called like it.
export const said = (event) => (short(event.app) === event.label ? event.label : `${short(event.app)}: ${event.label}`);

// "30000/1001" or "15".
export function fraction(text) {
  const [over, under] = text.split("/").map(Number);
  return under ? over / under : over;
}
