import { api, complain, drawBoxes, element, faceImage, form, make, onPhotos, showPhoto } from "./common.js";

function row(face) {
  const name = face.name ?? "unknown";
  const others = face.candidates.map((one) => `${one.name} ${one.similarity.toFixed(3)}`).join(", ");
  const best = face.candidates.length ? face.candidates[0].similarity.toFixed(3) : "";
  return make("tr", {},
    make("td", {}, faceImage(face.crop, "face")), make("td", { textContent: name }),
    make("td", { textContent: best }), make("td", { textContent: others }));
}

async function identify(file, zone) {
  complain("");
  showPhoto(zone, file);
  try {
    const answer = await api("/identify", { method: "POST", body: form([["photos", file], ["crops", "true"]]) });
    const found = answer.photos[0];
    if (found.error) throw new Error(found.error);
    const known = found.faces.filter((face) => face.name !== null).length;
    element("verdict").textContent = `${found.faces.length} ${found.faces.length === 1 ? "face" : "faces"}, ${known} known`;
    element("basis").textContent = `Threshold ${answer.threshold.toFixed(3)}: ${answer.basis.replaceAll("`", "")}.`;
    element("faces").replaceChildren(...found.faces.map(row));
    found.faces.forEach((face) => { face.main = face.name !== null; }); // who is known is drawn solid
    drawBoxes(zone, found, (face) => face.name ?? "?");
    element("result").hidden = false;
  } catch (error) {
    element("result").hidden = true;
    complain(error.message);
  }
}

if (element("photo")) onPhotos("photo", (files, zone) => identify(files[0], zone));
