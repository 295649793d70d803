"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byName = new Map(data.nodes.map(node => [node.name, node]));
const state = {node: data.nodes[Math.min(1, data.nodes.length - 1)], channel: 0, source: 0, row: 0, column: 0, grads: false};

function unpack(stored, length) {
  const text = atob(stored.data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const whole = new DataView(bytes.buffer), rows = [];
  for (let r = 0; r < stored.scale.length; r++) {
    const row = new Float64Array(length);
    for (let i = 0; i < length; i++) row[i] = whole.getInt16(2 * (r * length + i), true) * stored.scale[r];
    rows.push(row);
  }
  return rows;
}
function maps(node, grads) {
  const key = grads ? "_grads" : "_values";
  node[key] ??= unpack(grads ? node.grads : node.values, node.size[0] * node.size[1]);
  return node[key];
}
const isMap = node => node.size[0] * node.size[1] > 1;
const short = x => x === 0 ? "0" : (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5 ? String(+x.toPrecision(4)) : x.toExponential(1)).replaceAll("-", "−");
const term = x => x < 0 ? "(" + short(x) + ")" : short(x);
function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
const className = index => data.classes[index] ?? "class " + index;
function label(node, position) {
  const channel = node.channels[position];
  return node === data.nodes.at(-1) ? className(channel) : (isMap(node) ? "channel " : "number ") + channel;
}

/* One output as products of a window: places of the input, weights, and what the gradient there becomes. */
function windowOf(node, source) {
  const op = node.op, [H, W] = source.size, cells = [];
  for (let i = 0; i < op.kernel[0]; i++) for (let j = 0; j < op.kernel[1]; j++) {
    const r = state.row * op.stride[0] - op.padding[0] + i * op.dilation[0];
    const c = state.column * op.stride[1] - op.padding[1] + j * op.dilation[1];
    cells.push({i, j, r, c, inside: r >= 0 && r < H && c >= 0 && c < W});
  }
  return cells;
}
const at = (source, position, cell, grads = false) => cell.inside ? maps(source, grads)[position][cell.r * source.size[1] + cell.c] : 0;

function grid(title, cells, columns, show, marked = () => false) {
  const table = make("table", {}, make("caption", {text: title}));
  for (let start = 0; start < cells.length; start += columns) {
    const row = make("tr");
    for (const cell of cells.slice(start, start + columns)) {
      const kind = marked(cell) ? "win" : cell.inside === false ? "pad" : "";
      row.append(make("td", {text: show(cell), class: kind}));
    }
    table.append(row);
  }
  return table;
}

function explain(node) {
  const out = make("div"), op = node.op, source = byName.get(node.inputs[0]);
  const here = state.row * node.size[1] + state.column;
  const z = maps(node, false)[state.channel][here], g = maps(node, true)[state.channel][here];
  const say = (text, kind = "") => out.append(make("p", {text, class: kind}));
  const head = text => out.append(make("h3", {text}));
  const place = isMap(node) ? `[${state.row}, ${state.column}]` : "";
  head(`${label(node, state.channel)} ${place} = ${short(z)}`);
  if (op.kind === "input") { say("A pixel of the image, as the network gets it."); return finish(); }
  if (op.kind === "conv") {
    const kernels = op.weight[state.channel], kernel = kernels[state.source], cells = windowOf(node, source);
    let total = 0, read = 0;
    kernels.forEach((weights, position) => {
      if (!weights) return;
      read++;
      cells.forEach((cell, k) => { total += weights[k] * at(source, position, cell); });
    });
    if (kernel) {
      const part = cells.reduce((sum, cell, k) => sum + kernel[k] * at(source, state.source, cell), 0);
      out.append(make("div", {class: "grids"},
        grid(`window of input ${label(source, state.source)}`, cells, op.kernel[1], cell => short(at(source, state.source, cell))),
        "×", grid("weights", cells, op.kernel[1], cell => short(kernel[cell.i * op.kernel[1] + cell.j])),
        "=", grid("products", cells, op.kernel[1], cell => short(kernel[cell.i * op.kernel[1] + cell.j] * at(source, state.source, cell)))));
      say(`These products add up to ${short(part)}.`, "sum");
    } else say("This output does not read that input channel: it belongs to another group.");
    const bias = op.bias[state.channel], others = op.reads - read;
    say(`${read} stored input channels: ${term(total)} + bias ${term(bias)}` + (others ? ` + ${others} other channels: ${term(z - total - bias)}` : "") + ` = ${short(z)}`, "sum");
    head(`Backward: ∂L/∂output = ${short(g)}`);
    if (kernel) out.append(make("div", {class: "grids"},
      grid("goes to the window: gradient × weight", cells, op.kernel[1], cell => cell.inside ? short(g * kernel[cell.i * op.kernel[1] + cell.j]) : "padding"),
      grid("all gradient that arrives there", cells, op.kernel[1], cell => cell.inside ? short(at(source, state.source, cell, true)) : "padding")));
  } else if (op.kind === "max" || op.kind === "mean") {
    const position = source.channels.indexOf(node.channels[state.channel]), cells = windowOf(node, source);
    const inside = cells.filter(cell => cell.inside);
    const best = inside.reduce((a, b) => at(source, position, b) > at(source, position, a) ? b : a, inside[0]);
    const count = op.kind === "mean" && op.all ? cells.length : inside.length;
    out.append(make("div", {class: "grids"}, grid("window", cells, op.kernel[1], cell => cell.inside ? short(at(source, position, cell)) : "padding", cell => op.kind === "max" && cell === best)));
    say(op.kind === "max" ? `The largest is ${short(at(source, position, best))}, framed.` : `The mean of ${count} numbers is ${short(inside.reduce((sum, cell) => sum + at(source, position, cell), 0) / count)}.`, "sum");
    head(`Backward: ∂L/∂output = ${short(g)}`);
    out.append(make("div", {class: "grids"}, grid(op.kind === "max" ? "goes to the largest alone" : "is divided equally", cells, op.kernel[1],
      cell => !cell.inside ? "padding" : short(op.kind === "max" ? (cell === best ? g : 0) : g / count), cell => op.kind === "max" && cell === best)));
  } else if (op.kind === "linear") {
    const weights = (node._weights ??= unpack(op.weight, source.channels.length))[state.channel];
    if (!weights) { say("The weights of this output are not stored."); return finish(); }
    const x = maps(source, false).map(row => row[0]);
    const order = x.map((value, k) => k).sort((a, b) => Math.abs(x[b] * weights[b]) - Math.abs(x[a] * weights[a]));
    const total = x.reduce((sum, value, k) => sum + value * weights[k], 0), top = order.slice(0, 10), bias = op.bias[state.channel];
    const shown = top.reduce((sum, k) => sum + x[k] * weights[k], 0);
    const names = make("table", {}, make("caption", {text: "the largest products"}), make("tr", {}, ...["number", "input", "weight", "product", "gradient × weight"].map(text => make("td", {text}))));
    for (const k of top) names.append(make("tr", {}, ...[source.channels[k], short(x[k]), short(weights[k]), short(x[k] * weights[k]), short(g * weights[k])].map(text => make("td", {text}))));
    out.append(make("div", {class: "grids"}, names));
    say(`These ${top.length}: ${term(shown)} + the others: ${term(total - shown)} + bias ${term(bias)}` + (Math.abs(z - total - bias) > 1e-3 * (1 + Math.abs(z)) ? ` + not stored: ${term(z - total - bias)}` : "") + ` = ${short(z)}`, "sum");
    say(`Backward: ∂L/∂output = ${short(g)}; each input gets it times its weight.`, "sum");
  } else if (op.kind === "flatten" || op.kind === "global") {
    const size = source.size[0] * source.size[1], index = node.channels[state.channel];
    const position = source.channels.indexOf(op.kind === "global" ? index : Math.floor(index / size));
    if (op.kind === "global") {
      if (position < 0) say(`The mean of input channel ${index}, whose map is not stored.`);
      else say(`The mean of the ${size} numbers of input channel ${index}: ${short(maps(source, false)[position].reduce((a, b) => a + b, 0) / size)}`, "sum");
      say(`Backward: ∂L/∂output = ${short(g)}; each of the ${size} pixels gets ${short(g / size)}.`, "sum");
    } else {
      const inside = index % size;
      say(`Input channel ${Math.floor(index / size)} [${Math.floor(inside / source.size[1])}, ${inside % source.size[1]}], unchanged.`, "sum");
      say(`Backward: ∂L/∂output = ${short(g)} goes there, unchanged.`, "sum");
    }
  } else if (op.kind === "other") {
    say("This kind of layer is shown without its computation.");
    say(`∂L/∂output = ${short(g)}`, "sum");
  } else {
    const inputs = node.inputs.map(name => byName.get(name));
    const found = inputs.map(input => input.channels.indexOf(node.channels[state.channel]));
    if (found.some(position => position < 0)) { say("The input's channel is not stored."); return finish(); }
    const x = inputs.map((input, k) => maps(input, false)[found[k]][here]);
    if (op.kind === "relu") {
      say(`max(0, ${short(x[0])}) = ${short(Math.max(0, x[0]))}`, "sum");
      say(`Backward: ∂L/∂output = ${short(g)} ` + (x[0] > 0 ? "passes, as the input is above 0." : "stops here, as the input is not above 0."), "sum");
    } else if (op.kind === "affine") {
      const a = op.scale[state.channel], b = op.shift[state.channel];
      say(`${short(x[0])} × ${term(a)} + ${term(b)} = ${short(x[0] * a + b)}`, "sum");
      say("The running statistics, weight and bias as one factor and one shift for each channel.", "soft");
      say(`Backward: ∂L/∂output = ${short(g)}, times ${short(a)}, is ${short(g * a)}.`, "sum");
    } else if (op.kind === "add") {
      say(`${x.map(term).join(" + ")} = ${short(x.reduce((a, b) => a + b, 0))}`, "sum");
      say(`Backward: each of the ${x.length} inputs gets ∂L/∂output = ${short(g)}.`, "sum");
    } else {
      say("Unchanged in evaluation mode.");
      say(`Backward: ∂L/∂output = ${short(g)}, unchanged.`, "sum");
    }
  }
  return finish();
  function finish() { out.id = "explained"; return out; }
}

/* Blue below zero, red above, and the paper's color at zero, in either scheme. */
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint(canvas, node, position, frame) {
  const [H, W] = node.size, row = maps(node, state.grads)[position], reach = row.reduce((a, x) => Math.max(a, Math.abs(x)), 0) || 1;
  const zoom = Math.max(1, Math.floor(352 / Math.max(H, W)));
  canvas.width = W * zoom; canvas.height = H * zoom;
  const context = canvas.getContext("2d"), low = dark.matches ? [18, 22, 30] : [255, 255, 255];
  for (let r = 0; r < H; r++) for (let c = 0; c < W; c++) {
    const x = row[r * W + c] / reach, end = x > 0 ? (dark.matches ? [255, 140, 110] : [178, 24, 43]) : (dark.matches ? [110, 180, 255] : [33, 102, 172]);
    context.fillStyle = `rgb(${low.map((v, k) => Math.round(v + (end[k] - v) * Math.sqrt(Math.abs(x)))).join(" ")})`;
    context.fillRect(c * zoom, r * zoom, zoom, zoom);
  }
  if (frame) {
    context.strokeStyle = dark.matches ? "#f6ad55" : "#b7600a"; context.lineWidth = 3;
    context.strokeRect(frame.c * zoom, frame.r * zoom, frame.w * zoom, frame.h * zoom);
  }
}
function choose(title, node, value, change) {
  const select = make("select", {onchange: event => change(+event.target.value)});
  node.channels.forEach((channel, position) => {
    const option = make("option", {value: position, text: label(node, position)});
    option.selected = position === value;
    select.append(option);
  });
  return make("label", {}, title + " ", select);
}
function sourceFrame(node, source) {
  if (node.op.kernel) {
    const cells = windowOf(node, source), last = cells.at(-1);
    return {r: cells[0].r, c: cells[0].c, h: last.r - cells[0].r + 1, w: last.c - cells[0].c + 1};
  }
  if (node.op.kind === "global") return {r: 0, c: 0, h: source.size[0], w: source.size[1]};
  if (node.op.kind === "flatten") {
    const inside = node.channels[state.channel] % (source.size[0] * source.size[1]);
    return {r: Math.floor(inside / source.size[1]), c: inside % source.size[1], h: 1, w: 1};
  }
  return {r: state.row, c: state.column, h: 1, w: 1};
}
let redraw = () => {};
function show() {
  const node = state.node, panel = document.getElementById("panel"), source = byName.get(node.inputs[0]);
  for (const button of document.querySelectorAll("#graph button")) {
    button.setAttribute("aria-current", button.dataset.name === node.name);
    if (button.dataset.name === node.name) button.parentElement.scrollTop = button.offsetTop - 60;
  }
  panel.replaceChildren(make("h2", {text: `${node.name}: ${node.type}, ${node.shape.join(" × ")}`}));
  const kinds = make("select", {onchange: event => { state.grads = event.target.value === "1"; redraw(); }}, make("option", {value: 0, text: "values"}), make("option", {value: 1, text: "gradients"}));
  kinds.value = state.grads ? "1" : "0";
  panel.append(make("label", {}, "Show ", kinds), choose("output", node, state.channel, value => { state.channel = value; redraw(); }));
  if (node.op.kind === "conv") panel.append(choose("input", source, state.source, value => { state.source = value; redraw(); }));
  const figures = make("div", {class: "maps"}), painted = [];
  const figure = (owner, position, frame, active) => {
    const canvas = make("canvas", active ? {tabindex: 0, role: "img", "aria-label": "output; arrow keys move the pixel"} : {role: "img", "aria-label": "input"});
    painted.push(() => paint(canvas, owner, position(), frame()));
    figures.append(make("figure", {}, make("figcaption", {text: active ? "output: point at a pixel, or use the arrow keys" : `input: ${owner.name}`}), canvas));
    return canvas;
  };
  if (source && isMap(source)) figure(source, () => node.op.kind === "conv" ? state.source : Math.max(0, source.channels.indexOf(node.op.kind === "flatten" ? Math.floor(node.channels[state.channel] / (source.size[0] * source.size[1])) : node.channels[state.channel])), () => sourceFrame(node, source), false);
  if (isMap(node)) {
    const canvas = figure(node, () => state.channel, () => ({r: state.row, c: state.column, h: 1, w: 1}), true);
    const move = (row, column) => {
      state.row = Math.min(node.size[0] - 1, Math.max(0, row)); state.column = Math.min(node.size[1] - 1, Math.max(0, column));
      redraw();
    };
    const point = event => { const box = canvas.getBoundingClientRect(); move(Math.floor((event.clientY - box.top) / box.height * node.size[0]), Math.floor((event.clientX - box.left) / box.width * node.size[1])); };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("keydown", event => {
      const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
      if (step) { event.preventDefault(); move(state.row + step[0], state.column + step[1]); }
    });
  }
  panel.append(figures);
  const told = make("div");
  panel.append(told);
  redraw = () => { painted.forEach(run => run()); told.replaceChildren(explain(node)); };
  redraw();
}
function select(node) {
  Object.assign(state, {node, row: node.size[0] >> 1, column: node.size[1] >> 1, channel: Math.max(0, node === data.nodes.at(-1) ? node.channels.indexOf(data.label) : 0), source: 0});
  show();
}
data.nodes.forEach((node, index) => {
  const before = data.nodes[index - 1], from = node.inputs.filter(name => !before || name !== before.name);
  const small = make("small", {text: node.shape.join(" × ") + (from.length ? ` ← ${from.join(", ")}` : "")});
  const button = make("button", {type: "button", "data-name": node.name, onclick: () => select(node)}, `${index ? "↓ " : ""}${node.name} ${node.type}`, small);
  button.addEventListener("keydown", event => {
    const next = {ArrowDown: button.nextElementSibling, ArrowUp: button.previousElementSibling}[event.key];
    if (next) { event.preventDefault(); next.focus(); next.click(); }
  });
  document.getElementById("graph").append(button);
});
document.getElementById("about").textContent = `L is the logit of ${className(data.label)}. Choose a layer, then point at a pixel of its output: its window, the products, their sum, and where its gradient goes. Red is above zero, blue below.`;
dark.addEventListener("change", () => redraw());
select(byName.get(decodeURIComponent(location.hash.slice(1))) ?? state.node);
