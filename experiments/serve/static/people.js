import { api, complain, element, faceImage, form, make, onPhotos } from "./common.js";

const PAGE = 60;
let chosen = [];
let shown = 0;
let typed = 0;

async function thumbnail(person, image) {
  try {
    const url = URL.createObjectURL(await api(`/people/${person.id}/thumbnail`));
    image.addEventListener("load", () => URL.revokeObjectURL(url));
    image.src = url;
  } catch {
    image.remove(); // no image is stored of this person
  }
}

function card(person) {
  const image = make("img", { alt: "" });
  const photos = `${person.photos} ${person.photos === 1 ? "photo" : "photos"}`;
  const remove = make("button", { type: "button", className: "danger", textContent: "Delete" });
  remove.setAttribute("aria-label", `Delete ${person.name}`);
  const item = make("li", {}, image,
    make("div", { className: "who" }, make("strong", { textContent: person.name }), make("span", { className: "hint", textContent: photos })), remove);
  remove.addEventListener("click", () => ask(person));
  thumbnail(person, image);
  return item;
}

function ask(person) {
  const dialog = element("delete-dialog");
  element("delete-title").textContent = `Delete ${person.name}?`;
  dialog.returnValue = "cancel";
  dialog.showModal();
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "delete") return;
    try {
      await api(`/people/${person.id}`, { method: "DELETE" });
      await list();
      element("search").focus();
    } catch (error) {
      complain(error.message);
    }
  }, { once: true });
}

async function list(more = false) {
  const mine = ++typed;
  const offset = more ? shown : 0;
  const search = encodeURIComponent(element("search").value);
  try {
    const found = await api(`/people?limit=${PAGE}&offset=${offset}&search=${search}`);
    if (mine !== typed) return;
    const cards = found.people.map(card);
    if (more) element("people").append(...cards);
    else element("people").replaceChildren(...cards);
    shown = offset + cards.length;
    element("count").textContent = `${found.total} enrolled${search ? `, ${shown} shown` : ""}`;
    element("more").hidden = cards.length < PAGE;
  } catch (error) {
    complain(error.message);
  }
}

// Says of each photo whether it can be enrolled, before anything is stored.
async function check(files) {
  complain("");
  try {
    const body = form([...files.map((file) => ["photos", file]), ["crops", "true"]]);
    const { photos } = await api("/detect", { method: "POST", body });
    photos.forEach((found, index) => {
      const main = found.faces.find((face) => face.main);
      const problem = found.error || (main ? main.problem : "no face found");
      const several = found.faces.length > 1 ? `; ${found.faces.length} faces, the largest central one counts` : "";
      const quality = main ? `quality ${Math.round(100 * main.quality)} %, weakest: ${main.weakest}${several}` : "";
      const text = problem ? `not usable: ${problem}` : `good: ${quality}`;
      const line = make("li", {}, ...(main ? [faceImage(main.crop)] : []),
        make("span", {}, make("strong", { textContent: files[index].name }), make("br"),
          make("span", { className: problem ? "no" : "ok", textContent: text })));
      element("checks").append(line);
      if (!problem) chosen.push(files[index]);
    });
  } catch (error) {
    complain(error.message);
  }
}

async function enroll() {
  complain("");
  const name = element("name").value.trim();
  if (!name) { complain("Type a name first."); element("name").focus(); return; }
  if (!chosen.length) { complain("Add a usable photo first."); element("photos").focus(); return; }
  element("enroll").disabled = true;
  try {
    await api("/people", { method: "POST", body: form([["name", name], ...chosen.map((file) => ["photos", file])]) });
    chosen = [];
    element("checks").replaceChildren();
    element("name").value = "";
    await list();
  } catch (error) {
    complain(error.message);
  }
  element("enroll").disabled = false;
}

if (element("people")) {
  onPhotos("photos", check);
  element("enroll").addEventListener("click", enroll);
  element("search").addEventListener("input", () => list());
  element("more").addEventListener("click", () => list(true));
  list();
}
