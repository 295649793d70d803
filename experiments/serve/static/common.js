// What the pages share: requests, error messages, drop zones, and boxes drawn over a photo.
export const element = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function complain(message) {
  const place = element("message");
  place.textContent = message;
  place.hidden = !message;
}

async function askForKey() {
  const dialog = element("key-dialog");
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  sessionStorage.setItem("faces-key", element("key").value);
  element("key").value = "";
}

// Sends a request to the API. Throws an Error with the server's own words.
export async function api(path, options = {}) {
  const key = sessionStorage.getItem("faces-key");
  const headers = { ...(options.headers || {}), ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, { ...options, headers, credentials: "omit" });
  } catch {
    throw new Error("The server does not answer: is it still running?");
  }
  if (answer.status === 401) {
    await askForKey();
    return api(path, options);
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => null);
    throw new Error(body?.error?.message || `The server answered ${answer.status}.`);
  }
  if (answer.status === 204) return null;
  return answer.headers.get("content-type").startsWith("application/json") ? answer.json() : answer.blob();
}

export function form(fields) {
  const data = new FormData();
  for (const [name, value] of fields) data.append(name, value);
  return data;
}

// Makes a drop zone call `take` with its files, dropped or chosen.
export function onPhotos(id, take) {
  const zone = document.querySelector(`[data-drop="${id}"]`);
  const accept = (list) => {
    const files = [...list].filter((file) => file.type.startsWith("image/"));
    if (files.length) take(files, zone);
    else complain("That is not a photo: drop a JPEG, PNG or WebP file.");
  };
  element(id).addEventListener("change", (event) => {
    if (event.target.files.length) accept(event.target.files);
    event.target.value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); accept(event.dataTransfer.files); });
}

// A photo next to a mistake must not replace the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

export function showPhoto(zone, file) {
  zone.querySelector(".photo")?.remove();
  const image = make("img", { alt: file.name || "the photo" });
  const url = URL.createObjectURL(file);
  image.addEventListener("load", () => URL.revokeObjectURL(url));
  image.src = url;
  zone.prepend(make("div", { className: "photo" }, image));
  zone.classList.add("filled");
}

// Draws boxes over a photo. found: width, height and faces of the API; label: a face's text, or nothing.
export function drawBoxes(zone, found, label = () => "") {
  const photo = zone.querySelector(".photo");
  photo.querySelectorAll("svg, .tag").forEach((old) => old.remove());
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", `0 0 ${found.width} ${found.height}`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  photo.append(drawing);
  for (const face of found.faces) {
    const { left, top, right, bottom } = face.box;
    const box = document.createElementNS(space, "rect");
    const sides = { x: left, y: top, width: right - left, height: bottom - top, rx: 4 };
    for (const [name, value] of Object.entries(sides)) box.setAttribute(name, value);
    if (!face.main) box.classList.add("other");
    drawing.append(box);
    const text = label(face);
    if (!text) continue;
    const tag = make("span", { className: "tag", textContent: text });
    tag.style.left = `${(100 * Math.max(0, left)) / found.width}%`;
    tag.style.top = `${Math.max(8, (100 * top) / found.height)}%`;
    photo.append(tag);
  }
}

export function faceImage(source, label = "") {
  return make("img", { src: source, alt: label, width: 112, height: 112 });
}
