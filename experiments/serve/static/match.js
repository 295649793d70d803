import { api, complain, drawBoxes, element, faceImage, form, make, onPhotos, showPhoto } from "./common.js";

const LOW = -0.2; // the scale begins here: lower similarities do not occur
const photos = {};
let latest = 0;
const place = (value) => `${(100 * (Math.min(1, Math.max(LOW, value)) - LOW)) / (1 - LOW)}%`;

function drawScale(found) {
  const scale = element("scale");
  const part = (name) => scale.querySelector(`[data-part="${name}"]`);
  part("above").style.left = place(found.threshold.value);
  part("tick").style.left = place(found.threshold.value);
  part("mark").style.left = place(found.similarity);
  part("label").style.left = place(found.threshold.value);
  part("label").textContent = `threshold ${found.threshold.value.toFixed(3)}`;
  scale.classList.toggle("good", found.same_person);
  const side = found.same_person ? "at least" : "below";
  scale.setAttribute("aria-label", `Similarity ${found.similarity.toFixed(3)}, ${side} the threshold ${found.threshold.value.toFixed(3)}`);
}

function show(found) {
  const verdict = element("verdict");
  const same = found.same_person;
  verdict.textContent = `${same ? "One person" : "Two people"}: similarity ${found.similarity.toFixed(3)}`;
  verdict.className = `verdict ${same ? "good" : "bad"}`;
  drawScale(found);
  const crops = ["first", "second"].map((name, index) => {
    const { faces } = found[name];
    faces.forEach((face, number) => { face.main = number === found.best[index]; }); // the deciding one is drawn solid
    return faceImage(faces[found.best[index]].crop, `the face of the ${name} photo that decided`);
  });
  element("crops").replaceChildren(...crops);
  element("statement").replaceChildren(...found.statement.slice(1).map((line) => make("li", { textContent: line })));
  for (const name of ["first", "second"]) drawBoxes(document.querySelector(`[data-drop="${name}"]`), found[name]);
  element("result").hidden = false;
}

async function compare() {
  if (!photos.first || !photos.second) return;
  const mine = ++latest;
  complain("");
  element("main").setAttribute("aria-busy", "true");
  const fields = [["first", photos.first], ["second", photos.second], ["crops", "true"]];
  if (element("far").value) fields.push(["far", element("far").value]);
  try {
    const found = await api("/match", { method: "POST", body: form(fields) });
    if (mine === latest) show(found);
  } catch (error) {
    element("result").hidden = true;
    complain(error.message);
  }
  element("main").removeAttribute("aria-busy");
}

for (const name of ["first", "second"]) {
  onPhotos(name, (files, zone) => {
    photos[name] = files[0];
    showPhoto(zone, files[0]);
    compare();
  });
}
element("far").addEventListener("change", compare);
